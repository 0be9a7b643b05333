"""Writes the seeds of the .npy, image, run-length and graph fuzzers: small valid files of each kind, so that mutation starts behind the headers.

    python3 tools/golden/fuzz_seeds.py        (needs numpy and Pillow)

The ONNX and safetensors seeds come from tools/golden/nn_ops.py.
"""

import io
import pathlib

import numpy as np
from PIL import Image

CORPUS = pathlib.Path(__file__).resolve().parents[2] / "tests" / "fuzz" / "corpus"


def npy():
    folder = CORPUS / "npy_fuzz"
    folder.mkdir(parents=True, exist_ok=True)
    values = np.arange(6)
    arrays = {
        "uint8": values.astype(np.uint8),
        "float32_matrix": values.astype(np.float32).reshape(2, 3),
        "float16": values.astype(np.float16),
        "float64_fortran": np.asfortranarray(values.astype(np.float64).reshape(3, 2)),
        "int64_big_endian": values.astype(">i8"),
        "bool_four_axes": (values % 2 == 0).reshape(1, 2, 3, 1),
        "scalar": np.float32(3.5),
        "empty": np.zeros((0, 4), np.float32),
    }
    for name, array in arrays.items():
        np.save(folder / name, array)
        (folder / f"{name}.npy").rename(folder / name)
    with open(folder / "version_2", "wb") as file:
        np.lib.format.write_array(file, values.astype(np.int32), version=(2, 0))


def image():
    folder = CORPUS / "image_fuzz"
    folder.mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[0:9, 0:11]
    rgb = np.stack([x * 20, y * 25, (x + y) * 10], axis=-1).astype(np.uint8)
    colour = Image.fromarray(rgb)
    rotated = Image.Exif()
    rotated[0x0112] = 6
    files = {
        "png_rgb": (colour, "PNG", {}),
        "png_rgba": (colour.convert("RGBA"), "PNG", {}),
        "png_grey_alpha": (colour.convert("LA"), "PNG", {}),
        "png_palette": (colour.convert("P", palette=Image.Palette.ADAPTIVE, colors=8), "PNG", {"transparency": 0}),
        "png_bit": (colour.convert("1"), "PNG", {}),
        "png_16": (Image.fromarray((x * 5000 + y * 7).astype(np.uint16)), "PNG", {}),
        "jpeg": (colour, "JPEG", {"quality": 80}),
        "jpeg_grey": (colour.convert("L"), "JPEG", {}),
        "jpeg_progressive": (colour, "JPEG", {"progressive": True}),
        "jpeg_rotated": (colour, "JPEG", {"exif": rotated, "subsampling": 0}),
    }
    for number, (name, (picture, kind, options)) in enumerate(files.items()):
        data = io.BytesIO()
        picture.save(data, kind, **options)
        # The fuzzer takes its reading mode from the first byte.
        (folder / name).write_bytes(bytes([number % 6]) + data.getvalue())



def rle():
    """Two bytes each of height and width, then COCO's compressed counts."""
    folder = CORPUS / "rle_fuzz"
    folder.mkdir(parents=True, exist_ok=True)

    def compressed(counts):
        out = bytearray()
        for i, x in enumerate(counts):
            x -= counts[i - 2] if i > 2 else 0
            while True:
                digit, x = x & 31, x >> 5
                more = x != (-1 if digit & 16 else 0)
                out.append(48 + digit + (32 if more else 0))
                if not more:
                    break
        return bytes(out)

    masks = {"empty": (3, 4, [12]), "full": (3, 4, [0, 12]), "shape": (20, 30, [43, 5, 14, 8, 12, 9, 11, 8, 490]),
             "large": (480, 640, [100000, 3, 207197]), "nothing": (0, 7, [0]), "no_runs": (0, 0, []), "zero_runs": (2, 2, [0, 0, 1, 0, 0, 3])}
    for name, (height, width, counts) in masks.items():
        header = height.to_bytes(2, "little") + width.to_bytes(2, "little")
        (folder / name).write_bytes(header + compressed(counts))
    (folder / "cut_off").write_bytes(b"\x02\x00\x02\x00" + b"oo")


def graph():
    """The graph fuzzer reads choices, not files: any bytes are a graph. Low bytes make honest extents, high ones hostile numbers."""
    folder = CORPUS / "graph_fuzz"
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(4)
    for number in range(24):
        length = int(generator.integers(40, 400))
        top = (8, 64, 224, 256)[number % 4]
        (folder / f"choices_{number:02}").write_bytes(generator.integers(0, top, length, dtype=np.uint16).astype(np.uint8).tobytes())


if __name__ == "__main__":
    npy()
    image()
    rle()
    graph()
