"""Writes tests/golden/features/: pooling, upsampling and grid sampling by torch.

    python tools/golden/features_sampling.py
"""

import itertools
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

root = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "features"


def save(name, array):
    path = root / f"{name}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.ascontiguousarray(array.numpy() if torch.is_tensor(array) else array))


rng = np.random.default_rng(2)

# --- max pooling: few different values, so that most windows hold equal ones; some NaN and infinities
maps = torch.from_numpy(np.round(rng.normal(size=(2, 3, 19, 45)) * 2).astype(np.float32))
spots = torch.from_numpy(rng.integers(0, maps.numel(), 40))
maps.view(-1)[spots[:12]] = float("nan")
maps.view(-1)[spots[12:]] = float("-inf")
maps[1, 2, :6, :12] = float("-inf")
save("pool/maps", maps)
for k, (kernel, stride, padding, dilation, ceil) in enumerate((
        ((2, 2), (2, 2), (0, 0), (1, 1), False), ((3, 3), (2, 2), (1, 1), (1, 1), False), ((3, 2), (1, 1), (1, 1), (2, 1), False),
        ((5, 5), (1, 1), (2, 2), (1, 1), False), ((2, 3), (3, 3), (1, 0), (1, 2), True), ((3, 3), (2, 2), (0, 0), (1, 1), True))):
    values, indices = F.max_pool2d(maps, kernel, stride, padding, dilation, ceil, return_indices=True)
    save(f"pool/values_{k}", values)
    save(f"pool/indices_{k}", indices.to(torch.int32))
pooled, indices = F.max_pool2d(torch.nan_to_num(maps), 2, 2, return_indices=True)
save("pool/unpooled", F.max_unpool2d(pooled, indices, 2, 2, output_size=(19, 45)))

# --- upsampling
maps = torch.from_numpy(rng.normal(size=(1, 2, 13, 37)).astype(np.float32))
save("upsample/maps", maps)
sizes = (dict(size=(26, 74)), dict(size=(7, 90)), dict(size=(31, 12)), dict(size=(1, 1)), dict(scale_factor=(1.7, 2.3)), dict(scale_factor=(0.6, 0.45)),
         dict(scale_factor=(1.7, 0.45), recompute_scale_factor=True))
modes = (dict(mode="nearest"), dict(mode="nearest-exact"), dict(mode="bilinear"), dict(mode="bilinear", align_corners=True), dict(mode="bicubic"),
         dict(mode="bicubic", align_corners=True), dict(mode="bilinear", antialias=True), dict(mode="bicubic", antialias=True),
         dict(mode="bicubic", antialias=True, align_corners=True))
for (i, size), (j, mode) in itertools.product(enumerate(sizes), enumerate(modes)):
    save(f"upsample/out_{i}_{j}", F.interpolate(maps, **size, **mode))

# --- grid sampling
maps = torch.from_numpy(rng.normal(size=(2, 3, 11, 17)).astype(np.float32))
grid = torch.from_numpy(rng.uniform(-1.6, 1.6, (2, 9, 23, 2)).astype(np.float32))
corners = torch.tensor([-1.0, -0.5, 0.0, 0.5, 1.0])
grid[0, 0, :5, 0], grid[0, 0, :5, 1], grid[0, 1, 0] = corners, -corners, torch.tensor([7.25, -9.5])
save("grid/maps", maps)
save("grid/grid", grid)
save("grid/narrow", maps[:, :, :, :1])
for mode, padding, align in itertools.product(("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection"), (False, True)):
    save(f"grid/{mode}_{padding}_{int(align)}", F.grid_sample(maps, grid, mode, padding, align))
    if mode == "bilinear":
        save(f"grid/narrow_{padding}_{int(align)}", F.grid_sample(maps[:, :, :, :1], grid, mode, padding, align))
