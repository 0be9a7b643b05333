"""Writes tests/golden/io/safetensors: files of the reference package for tests/io/safetensors_test.cpp and tests/nn/weights_test.cpp.

    python tools/golden/safetensors_files.py
"""

import pathlib

import torch
from safetensors.torch import save_file

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "io" / "safetensors"


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    tensors = {"none": torch.zeros(0, 4), "scalar": torch.tensor(2.5), "bool": torch.tensor([True, False, True])}
    for name in ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8"):
        # 0, 3, 6, ...: exact in every type.
        tensors[f"layer.{name}"] = (torch.arange(6, dtype=torch.float64) * 3).reshape(2, 3).to(getattr(torch, name))
    tensors["größe \"x\""] = torch.full((1,), -1, dtype=torch.int8)
    save_file(tensors, OUT / "types.safetensors", metadata={"format": "pt"})
    save_file({"a": torch.ones(3, dtype=torch.float8_e4m3fn)}, OUT / "float8.safetensors")
    save_file({}, OUT / "empty.safetensors")
    for file in OUT.iterdir():
        file.chmod(0o644)


if __name__ == "__main__":
    main()
