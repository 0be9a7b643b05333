"""Writes tests/golden/features/: deformable convolution by torchvision, RoIAlign of rotated boxes and class activation maps by their formulas.

    python tools/golden/features_deformable.py

`rotated` is what detectron2's ROIAlignRotated computes, sample by sample, written anew in double; detectron2 itself is not needed (compiled by itself, its
file gives the same to 2e-6). `cam` is Zhou et al.
2016, equation 2; `grad_cam` Selvaraju et al. 2017, equations 1 and 2.
"""

import math
import pathlib

import numpy as np
import torch
import torchvision.ops as ops

root = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "features"


def save(name, array):
    path = root / f"{name}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.ascontiguousarray(array.numpy() if torch.is_tensor(array) else array))


def sample(plane, y, x):
    """All channels at a place; zeros more than a cell outside, the border up to there."""
    _, h, w = plane.shape
    if not (-1 <= y <= h and -1 <= x <= w):
        return np.zeros(len(plane))
    y, x = min(max(y, 0), h - 1), min(max(x, 0), w - 1)
    y0, x0 = int(y), int(x)
    y1, x1 = min(y0 + 1, h - 1), min(x0 + 1, w - 1)
    dy, dx = y - y0, x - x0
    return (1 - dy) * ((1 - dx) * plane[:, y0, x0] + dx * plane[:, y0, x1]) + dy * ((1 - dx) * plane[:, y1, x0] + dx * plane[:, y1, x1])


def rotated(maps, rois, size, scale, ratio):
    out = np.zeros((len(rois), maps.shape[1], *size))
    for k, (image, cx, cy, w, h, angle) in enumerate(rois.astype(np.float64)):
        cx, cy, w, h = cx * scale - 0.5, cy * scale - 0.5, w * scale, h * scale
        c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        bins = h / size[0], w / size[1]
        n = [ratio if ratio > 0 else math.ceil(b) for b in bins]
        for p in range(size[0]):
            for q in range(size[1]):
                total = np.zeros(maps.shape[1])
                for i in range(n[0]):
                    for j in range(n[1]):
                        down, across = -h / 2 + (p + (i + 0.5) / n[0]) * bins[0], -w / 2 + (q + (j + 0.5) / n[1]) * bins[1]
                        total += sample(maps[int(image)].astype(np.float64), down * c - across * s + cy, down * s + across * c + cx)
                out[k, :, p, q] = total / max(n[0] * n[1], 1)
    return out.astype(np.float32)


rng = np.random.default_rng(4)
normal = lambda *shape: torch.from_numpy(rng.normal(size=shape).astype(np.float32))  # noqa: E731
for k, (channels, filters, kernel, stride, padding, dilation, groups, offset_groups, bias, mask) in enumerate((
        (6, 4, (3, 3), (1, 1), (1, 1), (1, 1), 1, 1, False, False), (6, 4, (3, 2), (2, 1), (1, 2), (1, 2), 2, 3, True, True),
        (4, 8, (1, 1), (1, 1), (0, 0), (1, 1), 4, 2, True, False), (5, 3, (2, 3), (1, 2), (0, 1), (2, 1), 1, 5, False, True))):
    x, weight = normal(2, channels, 11, 13), normal(filters, channels // groups, *kernel)
    out = [(e + 2 * p - d * (n - 1) - 1) // s + 1 for e, p, d, n, s in zip((11, 13), padding, dilation, kernel, stride)]
    taps = offset_groups * kernel[0] * kernel[1]
    offset, b = 3 * normal(2, 2 * taps, *out), normal(filters) if bias else None
    m = torch.from_numpy(rng.uniform(0, 1, (2, taps, *out)).astype(np.float32)) if mask else None
    for name, array in dict(x=x, weight=weight, offset=offset, bias=b, mask=m).items():
        if array is not None:
            save(f"deform/{name}_{k}", array)
    save(f"deform/out_{k}", ops.deform_conv2d(x, offset, weight, b, stride, padding, dilation, m))

maps = rng.normal(size=(2, 3, 15, 22)).astype(np.float32)
n = 20
rois = np.concatenate([rng.integers(0, 2, (n, 1)), rng.uniform(-8, 90, (n, 2)), rng.uniform(0, 60, (n, 2)), rng.uniform(-400, 400, (n, 1))], 1).astype(np.float32)
rois[0, 1:] = [44, 30, 400, 300, 30]
rois[1, 1:] = [44, 30, 20, 12, 0]
rois[2, 1:] = [44, 30, 20, 12, 90]
rois[3, 1:] = [44, 30, 0, 0, 10]
rois[4, 1:] = [500, 500, 30, 30, 45]
save("rotated/maps", maps)
save("rotated/rois", rois)
for k, (size, scale, ratio) in enumerate((((7, 7), 0.25, 2), ((3, 5), 0.25, 0), ((2, 2), 0.5, 3))):
    save(f"rotated/out_{k}", rotated(maps, rois, size, scale, ratio))

features, weights, gradients = rng.normal(size=(2, 6, 5, 7)), rng.normal(size=(3, 6)), rng.normal(size=(2, 6, 5, 7))
for name, array in dict(features=features, weights=weights, gradients=gradients).items():
    save(f"activation/{name}", array)
save("activation/cam", np.einsum("nchw,kc->nkhw", features, weights))
save("activation/grad_cam", np.maximum(np.einsum("nchw,nc->nhw", features, gradients.mean((2, 3))), 0))
