"""Writes tests/golden/features/: RoI operations and pixel shuffle by torchvision and torch.

    python tools/golden/features.py

Needs torch, torchvision and onnxruntime with onnx (for the maximum of corners).
"""

import pathlib

import numpy as np
import onnx
import onnxruntime
import torch
import torchvision.ops as ops

root = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "features"


def save(name, array):
    path = root / f"{name}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.ascontiguousarray(array.numpy() if torch.is_tensor(array) else array))


rng = np.random.default_rng(1)
maps = torch.from_numpy(rng.normal(size=(2, 19, 15, 22)).astype(np.float32))
xy = rng.uniform(-20, 90, (24, 2))
rois = np.concatenate([rng.integers(0, 2, (24, 1)), xy, xy + rng.uniform(-4, 60, (24, 2))], 1).astype(np.float32)
rois[0, 1:] = [-40, -40, 200, 200]
rois[1, 1:] = [300, 300, 400, 400]
rois[2, 1:] = [8, 8, 8, 8]
rois[3, 1:] = np.round(rois[3, 1:])
rois = torch.from_numpy(rois)
save("roi/maps", maps)
save("roi/rois", rois)
for k, (size, scale, ratio, aligned) in enumerate((((7, 7), 0.25, 2, True), ((3, 5), 0.25, -1, False), ((2, 2), 0.5, 0, True), ((4, 1), 0.125, 3, False))):
    save(f"roi/align_{k}", ops.roi_align(maps, rois, size, scale, ratio, aligned))
    save(f"roi/pool_{k}", ops.roi_pool(maps, rois, size, scale))
    node = onnx.helper.make_node("RoiAlign", ["x", "r", "b"], ["y"], mode="max", output_height=size[0], output_width=size[1],
                                 sampling_ratio=max(ratio, 0), spatial_scale=scale,
                                 coordinate_transformation_mode="half_pixel" if aligned else "output_half_pixel")
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph([node], "g", [value("x", 1, None), value("r", 1, None), value("b", 7, None)], [value("y", 1, None)])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 16)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    save(f"roi/corners_{k}", session.run(None, {"x": maps.numpy(), "r": rois[:, 1:].numpy(), "b": rois[:, 0].numpy().astype(np.int64)})[0])
sensitive = torch.from_numpy(rng.normal(size=(2, 24, 15, 22)).astype(np.float32))
save("roi/sensitive", sensitive)
for k, (size, scale, ratio) in enumerate((((3, 4), 0.25, 2), ((2, 2), 0.5, -1))):
    save(f"roi/ps_align_{k}", ops.ps_roi_align(sensitive, rois, size, scale, ratio))
    save(f"roi/ps_pool_{k}", ops.ps_roi_pool(sensitive, rois, size, scale))

levels = [torch.from_numpy(rng.normal(size=(2, 5, 64 // 2**i, 96 // 2**i)).astype(np.float32)) for i in range(4)]
image = (256, 384)
xy = rng.uniform(0, 300, (40, 2))
many = np.concatenate([np.sort(rng.integers(0, 2, (40, 1)), 0), xy, xy + np.exp(rng.uniform(1, 6, (40, 2)))], 1).astype(np.float32)
many[3, 1:] = [0, 0, 224, 224]
many[4, 1:] = [0, 0, 112, 112]
pooler = ops.MultiScaleRoIAlign(["0", "1", "2", "3"], (3, 3), 2)
boxes = [torch.from_numpy(many[many[:, 0] == i, 1:]) for i in range(2)]
for i, level in enumerate(levels):
    save(f"pyramid/level_{i}", level)
save("pyramid/rois", many)
save("pyramid/pooled", pooler({str(i): x for i, x in enumerate(levels)}, boxes, [image] * 2))
save("pyramid/levels", pooler.map_levels(boxes))
shuffled = torch.arange(2 * 12 * 3 * 5, dtype=torch.float32).reshape(2, 12, 3, 5)
save("shuffle/in", shuffled)
save("shuffle/out", torch.nn.functional.pixel_shuffle(shuffled, 2))
