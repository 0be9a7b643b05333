"""Writes tests/golden/io/image/: small PNG and JPEG files of every kind, and what OpenCV and Pillow read from them.

PNG files are encoded here, so that every bit depth, colour type and interlacing is there. Needs numpy, opencv-python, pillow.
"""

import pathlib
import struct
import zlib

import cv2
import numpy as np
from PIL import Image

out = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "io" / "image"
out.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(5)
H, W = 9, 13


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def pack_rows(samples, bits):
    """Rows of samples (h, w * channels) as PNG scan lines, filters chosen in turn."""
    rows = b""
    previous = None
    for y, row in enumerate(samples):
        if bits == 16:
            raw = np.frombuffer(row.astype(">u2").tobytes(), np.uint8)
        elif bits == 8:
            raw = row.astype(np.uint8)
        else:
            per = 8 // bits
            padded = np.zeros(-(-len(row) // per) * per, np.uint8)
            padded[: len(row)] = row
            raw = np.zeros(len(padded) // per, np.uint8)
            for k in range(per):
                raw |= (padded[k::per] << (8 - bits * (k + 1))).astype(np.uint8)
        filtered = raw.astype(int)
        kind = 0
        if y % 3 == 1 and previous is not None:  # "up"
            kind, filtered = 2, raw.astype(int) - previous
        rows += bytes([kind]) + (filtered % 256).astype(np.uint8).tobytes()
        previous = raw.astype(int)
    return rows


def write_png(name, samples, bits, colour, extra=b"", interlace=False):
    """samples (h, w, c)."""
    h, w, c = samples.shape
    data = b""
    if interlace:
        for y0, x0, dy, dx in ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)):
            part = samples[y0::dy, x0::dx]
            if part.size:
                data += pack_rows(part.reshape(part.shape[0], -1), bits)
    else:
        data = pack_rows(samples.reshape(h, -1), bits)
    header = struct.pack(">IIBBBBB", w, h, bits, colour, 0, 0, int(interlace))
    (out / name).write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b""))


def noise(channels, bits):
    return rng.integers(0, 1 << bits, (H, W, channels))


def exif(orientation, big=False):
    mark = ">" if big else "<"
    entries = [(0x010F, 2, 4, b"cam\0"), (0x0112, 3, 1, struct.pack(mark + "HH", orientation, 0))]
    block = (b"MM" if big else b"II") + struct.pack(mark + "HIH", 42, 8, len(entries))
    for tag, kind, count, value in entries:
        block += struct.pack(mark + "HHI", tag, kind, count) + value
    return block + struct.pack(mark + "I", 0)


palette = rng.integers(0, 256, (16, 3)).astype(np.uint8)
for bits in (1, 2, 4, 8, 16):
    write_png(f"grey{bits}.png", noise(1, bits), bits, 0)
for bits in (8, 16):
    write_png(f"rgb{bits}.png", noise(3, bits), bits, 2)
    write_png(f"grey_alpha{bits}.png", noise(2, bits), bits, 4)
    write_png(f"rgba{bits}.png", noise(4, bits), bits, 6)
write_png("rgb8_interlaced.png", noise(3, 8), 8, 2, interlace=True)
write_png("rgba16_interlaced.png", noise(4, 16), 16, 6, interlace=True)
for bits in (1, 2, 4, 8):
    write_png(f"palette{bits}.png", noise(1, min(bits, 4)), bits, 3, chunk(b"PLTE", palette[: 1 << bits].tobytes()))
write_png("palette_alpha.png", noise(1, 4), 8, 3, chunk(b"PLTE", palette.tobytes()) + chunk(b"tRNS", bytes(range(0, 256, 17))))
coloured = noise(3, 8)
coloured[2:4, 3:9] = (10, 20, 30)
write_png("rgb_transparent.png", coloured, 8, 2, chunk(b"tRNS", struct.pack(">HHH", 10, 20, 30)))
write_png("rgb_oriented6.png", noise(3, 8), 8, 2, chunk(b"eXIf", exif(6)))

# Smooth colours: JPEG's own loss is not under test here, the decoders' agreement is.
y, x = np.mgrid[0:H, 0:W]
photo = np.stack([x * 15 + 20, y * 20 + 30, (x + y) * 9], -1).clip(0, 255).astype(np.uint8)
image = Image.fromarray(photo)
image.save(out / "plain.jpg", quality=95, subsampling=0)
image.save(out / "half_chroma.jpg", quality=90, subsampling=2)
image.save(out / "progressive.jpg", quality=95, subsampling=0, progressive=True)
image.convert("L").save(out / "grey.jpg", quality=95)
image.convert("CMYK").save(out / "cmyk.jpg", quality=95)
for orientation in range(1, 9):
    image.save(out / f"oriented{orientation}.jpg", quality=95, subsampling=0, exif=b"Exif\0\0" + exif(orientation, orientation % 2 == 0))

for path in sorted(out.glob("*.png")) + sorted(out.glob("*.jpg")):
    expected = cv2.imread(str(path), cv2.IMREAD_COLOR)[:, :, ::-1]
    np.save(out / f"{path.stem}.{path.suffix[1:]}.rgb.npy", np.ascontiguousarray(expected))
for name in ("rgba8", "grey_alpha8", "palette_alpha", "rgb_transparent", "grey8"):
    np.save(out / f"{name}.png.rgba.npy", np.asarray(Image.open(out / f"{name}.png").convert("RGBA")))
for name in ("grey16", "rgb16", "rgba16", "rgba16_interlaced"):
    deep = cv2.imread(str(out / f"{name}.png"), cv2.IMREAD_UNCHANGED)
    deep = deep[:, :, None] if deep.ndim == 2 else cv2.cvtColor(deep, cv2.COLOR_BGRA2RGBA if deep.shape[2] == 4 else cv2.COLOR_BGR2RGB)
    np.save(out / f"{name}.png.deep.npy", deep)
for name in ("rgb8", "rgb16"):
    deep = cv2.imread(str(out / f"{name}.png"), cv2.IMREAD_UNCHANGED)
    np.save(out / f"{name}.png.grey.npy", cv2.cvtColor(deep, cv2.COLOR_BGR2GRAY)[:, :, None])
