"""The inputs of benchmarks/support/inputs.hpp, bit for bit (its comment describes them)."""

import numpy as np


def uniform(n, seed):
    """n draws of the stream, in [0, 1)."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.uint64(0x9E3779B97F4A7C15) * np.arange(1, n + 1, dtype=np.uint64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)


scores = uniform


def boxes(n, seed, clusters=0):
    """(n, 4) float32 x1 y1 x2 y2."""
    bases = clusters if clusters else n
    u = uniform(4 * bases, seed).reshape(bases, 4)
    low = np.float32(1000) * u[:, :2]
    out = np.concatenate([low, low + (np.float32(90) * u[:, 2:] + np.float32(10))], axis=1)
    if not clusters:
        return out
    repeated = out[np.arange(n) % bases]
    side = np.tile(repeated[:, 2:] - repeated[:, :2], 2)
    jitter = np.float32(0.1) * (uniform(4 * n, seed + 1).reshape(n, 4) - np.float32(0.5))
    return repeated + jitter * side


def masks(n, h, w, seed):
    """(n, h, w) uint8: in each picture the union of two ellipses (benchmarks/support/masks.hpp)."""
    u = (uniform(8 * n, seed) * np.float32(2**24)).astype(np.int64)
    y, x = np.arange(h, dtype=np.int64)[:, None], np.arange(w, dtype=np.int64)[None]
    out = np.zeros((n, h, w), np.uint8)

    def whole(d, low, high):
        return low + (u[d] * (high - low) >> 24)

    for i in range(n):
        first = whole(8 * i, 0, w), whole(8 * i + 1, 0, h)
        second = first[0] + whole(8 * i + 4, -60, 60), first[1] + whole(8 * i + 5, -60, 60)
        for part, (cx, cy) in enumerate((first, second)):
            rx, ry = (whole(8 * i + 4 * part + k, 20, 120) for k in (2, 3))
            out[i] |= ((x - cx) * ry) ** 2 + ((y - cy) * rx) ** 2 < (rx * ry) ** 2
    return out
