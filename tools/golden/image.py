"""Writes tests/golden/image/: what OpenCV 5, Pillow and PyTorch make of small images.

Needs numpy, opencv-python 5, pillow, torch. Each array is one .npy; resize results are packed, one after the other, into one file per
method and element type, in the order of SIZES.
"""

import pathlib

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

out = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "image"
out.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(11)

CV = dict(cv_nearest=cv2.INTER_NEAREST, cv_nearest_exact=cv2.INTER_NEAREST_EXACT, cv_linear=cv2.INTER_LINEAR, cv_cubic=cv2.INTER_CUBIC,
          cv_area=cv2.INTER_AREA)
R = Image.Resampling
PIL = dict(pil_nearest=R.NEAREST, pil_box=R.BOX, pil_bilinear=R.BILINEAR, pil_hamming=R.HAMMING, pil_bicubic=R.BICUBIC, pil_lanczos=R.LANCZOS)
TORCH = dict(torch_nearest=("nearest", False), torch_nearest_exact=("nearest-exact", False), torch_bilinear=("bilinear", False),
             torch_bicubic=("bicubic", False), torch_area=("area", False), torch_bilinear_antialias=("bilinear", True),
             torch_bicubic_antialias=("bicubic", True))
# From (height, width): up, down, mixed, whole multiples, one pixel.
SOURCES = [(13, 17), (24, 32), (1, 5)]
SIZES = [(0, 7, 5), (0, 19, 23), (0, 26, 9), (0, 13, 17), (1, 12, 16), (1, 8, 8), (1, 29, 35), (1, 11, 31), (1, 1, 1), (2, 4, 12)]


def resized(image, height, width, method):
    """The reference's result; floating-point images in float64 where the library can."""
    channels = image.shape[2]
    if method in CV:
        return cv2.resize(image, (width, height), interpolation=CV[method]).reshape(height, width, channels)
    if method in PIL:
        planes = [Image.fromarray(np.ascontiguousarray(image[:, :, c]) if image.dtype == np.uint8 else image[:, :, c].astype(np.float32))
                  for c in range(channels)]
        return np.stack([np.asarray(p.resize((width, height), PIL[method])) for p in planes], -1)
    mode, antialias = TORCH[method]
    tensor = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None]
    if mode == "area" and image.dtype == np.uint8:
        return F.interpolate(tensor.double(), (height, width), mode=mode)[0].permute(1, 2, 0).round().byte().numpy()
    extra = dict(align_corners=False, antialias=antialias) if mode in ("bilinear", "bicubic") else {}
    return F.interpolate(tensor, (height, width), mode=mode, **extra)[0].permute(1, 2, 0).numpy()


bytes_in = [rng.integers(0, 256, (h, w, 3)).astype(np.uint8) for h, w in SOURCES]
floats_in = [rng.random((h, w, 3)) for h, w in SOURCES]
for k in range(len(SOURCES)):
    np.save(out / f"bytes{k}.npy", bytes_in[k])
    np.save(out / f"floats{k}.npy", floats_in[k])
np.save(out / "sizes.npy", np.array(SIZES, np.int64))
for method in [*CV, *PIL, *TORCH]:
    np.save(out / f"resize_{method}_bytes.npy", np.concatenate([resized(bytes_in[k], h, w, method).ravel() for k, h, w in SIZES]))
    np.save(out / f"resize_{method}_floats.npy",
            np.concatenate([resized(floats_in[k], h, w, method).ravel() for k, h, w in SIZES]).astype(np.float32))

# Which pixel each nearest method takes, for all pairs of extents up to 30: one long run of indices per method.
index = np.arange(30, dtype=np.uint8)
for method in ("cv_nearest", "cv_nearest_exact", "pil_nearest", "torch_nearest", "torch_nearest_exact"):
    runs = [resized(index[None, :a, None], 1, b, method)[0, :, 0] for a in range(1, 31) for b in range(1, 31)]
    np.save(out / f"indices_{method}.npy", np.concatenate(runs))

rgb = rng.integers(0, 256, (16, 64, 3)).astype(np.uint8)
np.save(out / "colours.npy", rgb)
np.save(out / "grey_opencv.npy", cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
np.save(out / "grey_pillow.npy", np.asarray(Image.fromarray(rgb).convert("L")))
mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
tensor = torch.from_numpy(rgb).permute(2, 0, 1).double() / 255
np.save(out / "normalized.npy", ((tensor - mean.double()[:, None, None]) / deviation.double()[:, None, None])[None].float().numpy())

small = rng.integers(0, 256, (3, 5, 3)).astype(np.uint8)
np.save(out / "pad_source.npy", small)
for name, mode in (("constant", cv2.BORDER_CONSTANT), ("edge", cv2.BORDER_REPLICATE), ("reflect", cv2.BORDER_REFLECT),
                   ("reflect101", cv2.BORDER_REFLECT_101)):
    np.save(out / f"pad_{name}.npy", cv2.copyMakeBorder(small, 7, 4, 2, 11, mode, value=(1, 2, 3)))


def letterbox(image, height, width, scale_up=True, centre=True, stride=0):
    """ultralytics' LetterBox.__call__, as its source describes it."""
    h, w = image.shape[:2]
    r = min(height / h, width / w)
    if not scale_up:
        r = min(r, 1.0)
    new_w, new_h = round(w * r), round(h * r)
    dw, dh = width - new_w, height - new_h
    if stride:
        dw, dh = dw % stride, dh % stride
    if centre:
        dw, dh = dw / 2, dh / 2
    if (w, h) != (new_w, new_h):
        image = cv2.resize(image, (new_w, new_h), interpolation=cv2.INTER_LINEAR)
    top, bottom = round(dh - 0.1) if centre else 0, round(dh + 0.1)
    left, right = round(dw - 0.1) if centre else 0, round(dw + 0.1)
    return cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(114,) * 3)


for name, arguments in (("wide", (24, 24)), ("tall", (40, 20)), ("small", (30, 61, False)), ("corner", (33, 24, True, False)),
                        ("stride", (32, 32, True, True, 8))):
    np.save(out / f"letterbox_{name}.npy", letterbox(bytes_in[0], *arguments))
