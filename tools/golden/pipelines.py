#!/usr/bin/env python3
"""Writes tests/golden/pipelines/: small networks with the inputs and outputs of the families that `detector` knows, in other sizes.

Needs numpy and onnx. Each network ignores its input's values and gives constants, so that decoding alone is tested.
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
