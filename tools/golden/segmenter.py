#!/usr/bin/env python3
"""Writes tests/golden/pipelines/segment_*.onnx and text_mean.onnx: small networks whose answers one can see, for the tests of the
segmentation pipelines. Needs numpy and onnx.
"""

import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OUT = os.path.join(os.path.dirname(__file__), "..", "..", "tests", "golden", "pipelines")
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def save(name, nodes, weights, outputs, height="height", width="width"):
    graph = helper.make_graph(
        nodes, name, [helper.make_tensor_value_info("image", FLOAT, [1, 3, height, width])],
        [helper.make_tensor_value_info(key, kind, shape) for key, kind, shape in outputs],
        [numpy_helper.from_array(value, key) for key, value in weights.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="ocelli")
    model.ir_version = 8
    onnx.checker.check_model(model)
    onnx.save(model, os.path.join(OUT, name + ".onnx"))


def mix(rows, bias):
    return {"w": np.array(rows, np.float32).reshape(-1, 3, 1, 1), "b": np.array(bias, np.float32)}


os.makedirs(OUT, exist_ok=True)
colours = mix(np.eye(3) * 8, [0, 0, 0])
half = helper.make_node("AveragePool", ["image"], ["half"], kernel_shape=[2, 2], strides=[2, 2])
# The class is the strongest of red, green, blue; logits at half the size, and their softmax as a second output.
save("segment_colours", [half, helper.make_node("Conv", ["half", "w", "b"], ["logits"]),
                         helper.make_node("Softmax", ["logits"], ["chances"], axis=1)], colours,
     [("logits", FLOAT, [1, 3, "h", "w"]), ("chances", FLOAT, [1, 3, "h", "w"])])
save("segment_colours_32x64", [half, helper.make_node("Conv", ["half", "w", "b"], ["logits"])], colours,
     [("logits", FLOAT, [1, 3, 16, 32])], 32, 64)
# One channel: above 0 where red is above a half.
save("segment_red", [helper.make_node("Conv", ["image", "w", "b"], ["logit"])], mix([[20, 0, 0]], [-10]),
     [("logit", FLOAT, [1, 1, "h", "w"])])
# Labels instead of logits.
save("segment_labels", [half, helper.make_node("Conv", ["half", "w", "b"], ["logits"]),
                        helper.make_node("ArgMax", ["logits"], ["labels"], axis=1, keepdims=0)], colours,
     [("labels", INT64, [1, "h", "w"])])
# The mean of the channels, from -1 to 1, as a probability.
save("text_mean", [helper.make_node("Conv", ["image", "w", "b"], ["map"])], mix([[1 / 6, 1 / 6, 1 / 6]], [0.5]),
     [("map", FLOAT, [1, 1, "h", "w"])])
