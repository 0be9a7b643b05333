#!/usr/bin/env python3
"""Writes tests/golden/pipelines/: small networks with the inputs and outputs of the families that `detector` knows, in other sizes.

Needs numpy, onnx, PyTorch and ultralytics. Each network ignores its input's values and gives constants, so that decoding alone is tested.
"""

import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OUT = os.path.join(os.path.dirname(__file__), "..", "..", "tests", "golden", "pipelines")


def save(name, height, width, outputs):
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["mean"]),
        helper.make_node("Reshape", ["mean", "row"], ["means"]),
        helper.make_node("MatMul", ["means", "zeros"], ["nothing"]),
    ]
    weights = [
        numpy_helper.from_array(np.array([1, 3], np.int64), "row"),
        numpy_helper.from_array(np.zeros((3, 1), np.float32), "zeros"),
    ]
    for key, value in outputs.items():
        weights.append(numpy_helper.from_array(value.astype(np.float32), key + "_values"))
        nodes.append(helper.make_node("Add", [key + "_values", "nothing"], [key]))
    graph = helper.make_graph(
        nodes, name, [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, height, width])],
        [helper.make_tensor_value_info(key, TensorProto.FLOAT, value.shape) for key, value in outputs.items()], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="ocelli")
    model.ir_version = 8
    onnx.checker.check_model(model)
    onnx.save(model, os.path.join(OUT, name + ".onnx"))


os.makedirs(OUT, exist_ok=True)

# 48 x 64 pixels: cells 8 x 6, 4 x 3, 2 x 2, 1 x 1 with 3, 2, 2, 3 priors: 144 + 24 + 8 + 3.
priors = 6 * 8 * 3 + 3 * 4 * 2 + 2 * 2 * 2 + 3
scores = np.tile(np.array([1.0, 0, 0]), (1, priors, 1))
scores[0, 5] = [0, 0.1, 0.9]
scores[0, 144] = [0, 0.8, 0.2]
boxes = np.tile(np.array([0, 0, 0.1, 0.1]), (1, priors, 1))
boxes[0, 5] = [0.25, 0.5, 0.5, 1.0]
boxes[0, 144] = [0.5, 0.25, 0.75, 0.5]
save("ultraface_48x64", 48, 64, {"boxes": boxes, "scores": scores})  # the other order of outputs, two classes

raw = np.zeros((1, priors, 4))
raw[0, 144] = [1, 2, 5 * np.log(2), 5 * np.log(0.5)]  # shift 0.1 and 0.2 sizes, width doubled, height halved
save("ultraface_raw_48x64", 48, 64, {"scores": scores, "boxes": raw})

cells = np.zeros((1, 5 + 3, 4, 6))
cells[0, :, 1, 2] = [1, 0, 0, 0, 0, 0.1, 0.2, 0.9]  # objectness 1, centre on the cell's corner, half the picture wide and high
save("fastestdet_64x96", 64, 96, {"output": cells})
save("fastestdet_open", "height", "width", {"output": cells})

# What ultralytics itself makes of a constant output: 8 x 12, 4 x 6 and 2 x 3 points of three classes for a picture of 120 x 200.
import torch  # noqa: E402
from ultralytics.utils import nms, ops  # noqa: E402

random = np.random.default_rng(5)
points = 8 * 12 + 4 * 6 + 2 * 3
raw = np.zeros((1, 4 + 3, points), np.float32)
raw[0, :2] = random.uniform(8, 88, (2, points)) * [[1], [0.6]]
raw[0, 2:4] = random.uniform(4, 40, (2, points))
raw[0, 4:] = random.uniform(0, 1, (3, points)) ** 3
raw[0, :, 1::3] = raw[0, :, 0::3][:, : raw[0, :, 1::3].shape[1]]  # boxes like another, a little further
raw[0, :4, 1::3] += random.uniform(-2, 2, raw[0, :4, 1::3].shape)
raw[0, 4:, 1::3] *= 0.9
save("yolo_64x96", 64, 96, {"output0": raw})


def as_ultralytics(output, name):
    found = nms.non_max_suppression(torch.from_numpy(output.copy()), conf_thres=0.25, iou_thres=0.7)[0]
    found[:, :4] = ops.scale_boxes((64, 96), found[:, :4], (120, 200))
    np.save(os.path.join(OUT, name + ".npy"), found.numpy().astype(np.float32))
    print(name, len(found))


as_ultralytics(raw, "yolo_64x96")
rows = np.zeros((1, 20, 6), np.float32)
rows[0, :, :2] = random.uniform(-4, 40, (20, 2))
rows[0, :, 2:4] = rows[0, :, :2] + random.uniform(4, 60, (20, 2))
rows[0, :, 4] = np.sort(random.uniform(0, 1, 20))[::-1]
rows[0, :, 5] = random.integers(0, 80, 20)
save("yolo_rows_64x96", 64, 96, {"output0": rows})
as_ultralytics(rows, "yolo_rows_64x96")
