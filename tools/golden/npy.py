"""Writes tests/golden/io/npy/: .npy files of every element type, byte order and axis order, by NumPy."""

import pathlib

import numpy as np
from numpy.lib import format as npy_format

out = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "io" / "npy"
out.mkdir(parents=True, exist_ok=True)

TYPES = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64".split()
n = np.arange(24).reshape(2, 3, 4)
for name in TYPES:
    dtype = np.dtype(name)
    if dtype.kind == "b":
        values = n % 3 == 0
    elif dtype.kind == "u":
        values = n * 5
    elif dtype.kind == "i":
        values = n * 5 - 60
    else:
        values = n / 4 - 3
    for order, mark in (("little", "<"), ("big", ">")):
        typed = values.astype(dtype.newbyteorder(mark))
        np.save(out / f"{name}_{order}_c.npy", np.ascontiguousarray(typed))
        np.save(out / f"{name}_{order}_f.npy", np.asfortranarray(typed))

halves = np.arange(0, 1 << 16, 7, dtype=np.uint16)
halves = np.concatenate([halves, np.array([0, 1, 0x3FF, 0x400, 0x7BFF, 0x7C00, 0x8000, 0x8001, 0xFBFF, 0xFC00], np.uint16)])
halves = halves[(halves & 0x7FFF) <= 0x7C00].view(np.float16)  # without NaN, whose payload is the machine's affair
np.save(out / "halves.npy", halves[::4])
np.save(out / "halves_as_float.npy", halves[::4].astype(np.float32))

six = np.arange(6, dtype=np.float32).reshape(2, 3)
for version in ((2, 0), (3, 0)):
    with open(out / f"version{version[0]}.npy", "wb") as f:
        npy_format.write_array(f, six, version)
np.save(out / "scalar.npy", np.float64(2.5))
np.save(out / "empty.npy", np.zeros((2, 0, 3), np.float32))

np.save(out / "saved_float32.npy", np.array([[1.5, -2, 0], [3, 4, 5]], np.float32))
np.save(out / "saved_int64.npy", np.array([1, -2, 3], np.int64))
np.save(out / "saved_bool.npy", np.array([True, False, True]))
np.save(out / "saved_float64.npy", np.array(2.5))
np.save(out / "saved_uint8.npy", np.zeros((3, 0, 2), np.uint8))
np.save(out / "can_cast.npy", np.array([[np.can_cast(a, b, "safe") for b in TYPES] for a in TYPES]))
