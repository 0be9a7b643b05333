"""Writes tests/golden/features/correlation/: RAFT's correlation and convex upsampling by torchvision, FlowNet-C's volume by its formula.

    python tools/golden/features_correlation.py

The authors' correlation layer of FlowNet runs on GPUs alone; `flownet` below is the paper's equation 1 in double, laid out and divided as their
layer does.
"""

import pathlib

import numpy as np
import torch
from torchvision.models.optical_flow._utils import upsample_flow
from torchvision.models.optical_flow.raft import CorrBlock

root = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "features" / "correlation"


def save(name, array):
    path = root / f"{name}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.ascontiguousarray(array.numpy() if torch.is_tensor(array) else array))


def flownet(a, b, padding, kernel, displacement, stride, step):
    n, channels, h, w = a.shape
    a, b = (np.pad(m.astype(np.float64), ((0, 0), (0, 0), (padding, padding), (padding, padding))) for m in (a, b))
    radius, side = displacement // step, 2 * (displacement // step) + 1
    room = [s + 2 * padding - 2 * displacement - (kernel - 1) for s in (h, w)]
    rows, columns = (-(-r // stride) for r in room)
    out = np.zeros((n, side * side, rows, columns))
    for q in range(side):
        for p in range(side):
            for y in range(rows):
                for x in range(columns):
                    v, u = y * stride + displacement, x * stride + displacement
                    v2, u2 = v + (q - radius) * step, u + (p - radius) * step
                    product = a[:, :, v:v + kernel, u:u + kernel] * b[:, :, v2:v2 + kernel, u2:u2 + kernel]
                    out[:, q * side + p, y, x] = product.mean((1, 2, 3))
    return out.astype(np.float32)


rng = np.random.default_rng(3)
a, b = (rng.normal(size=(2, 5, 9, 21)).astype(np.float32) for _ in range(2))
save("a", a)
save("b", b)
for k, options in enumerate(((4, 1, 4, 1, 2), (3, 3, 2, 1, 1), (5, 1, 4, 2, 2), (2, 3, 3, 3, 1))):
    save(f"volume_{k}", flownet(a, b, *options))

first, second = (torch.from_numpy(rng.normal(size=(2, 6, 17, 19)).astype(np.float32)) for _ in range(2))
save("first", first)
save("second", second)
block = CorrBlock(num_levels=4, radius=3)
block.build_pyramid(first, second)
save("pairs", block.corr_pyramid[0].reshape(2, 17 * 19, 17, 19)[:, ::37])
save("coarsest", block.corr_pyramid[3].reshape(2, 17 * 19, 2, 2))
coordinates = torch.from_numpy(rng.uniform(-6, 26, (2, 2, 17, 19)).astype(np.float32))
coordinates[0, :, 0, :4] = torch.tensor([[0.0, 4.0, 18.0, 200.0], [0.0, 2.0, 16.0, 3.0]])
save("coordinates", coordinates)
save("looked_up", block.index_pyramid(coordinates)[:, :, ::4, ::3])

flow = torch.from_numpy(rng.normal(size=(2, 2, 4, 5)).astype(np.float32))
mask = torch.from_numpy(rng.normal(size=(2, 9 * 64, 4, 5)).astype(np.float32) * 3)
save("flow", flow)
save("mask", mask)
save("upsampled", upsample_flow(flow, mask))
