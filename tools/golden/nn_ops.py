"""Writes tests/golden/nn_ops: for each operator family a safetensors file of small ONNX models, inputs and expected outputs.

A case NAME is the tensors NAME/model (its bytes), NAME/x0, NAME/x1, ... and NAME/y0, ... Expected outputs come from PyTorch and torchvision
where they have the operation, from the reference evaluator of the ONNX package for whole graphs (sequences, functions, 16-bit networks), else from
NumPy: cases that ONNX's operator tests leave out. Also writes the seeds of the ONNX and safetensors
fuzzers.

    python tools/golden/nn_ops.py
"""

import pathlib
import shutil
import struct

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from safetensors.numpy import save_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "tests" / "golden" / "nn_ops"
CORPUS = ROOT / "tests" / "fuzz" / "corpus"


# Small models that differ in what the reader meets: sub-graphs, lists, texts, initializers, several types.
SEEDS = (("control", "loop_until_condition"), ("control", "scan_backwards"), ("conv_transpose", "deform"), ("detection", "nms"), ("norm", "layer_two_axes"),
         ("pad", "int64"), ("pool", "max_ceil_dilated_indices"), ("quantize", "conv"), ("recurrent", "lstm_both"), ("resize", "bicubic"),
         ("resize", "upsample7"), ("sample", "bicubic"), ("sequence", "loop"), ("sequence", "map"), ("sequence", "optional"), ("function", "attributes"),
         ("function", "branch_true"))


def numbers(*shape, seed=0, scale=1.0):
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


families = {}


def save(name, model, inputs, outputs):
    family, name = name.split("/")
    tensors = families.setdefault(family, {})
    tensors[f"{name}/model"] = np.frombuffer(model.SerializeToString(), np.uint8)
    for kind, arrays in (("x", inputs), ("y", outputs)):
        for i, a in enumerate(arrays):
            tensors[f"{name}/{kind}{i}"] = np.array(a, order="C")


def info(name, a):
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)


def case(name, op, inputs, outputs, opset=19, constants=(), **attributes):
    """One node. Inputs that are None are left out, those in `constants` become initializers."""
    names = [f"x{i}" if a is not None else "" for i, a in enumerate(inputs)]
    results = [f"y{i}" if o is not None else "" for i, o in enumerate(outputs)]
    fed = [(n, a) for i, (n, a) in enumerate(zip(names, inputs)) if a is not None and i not in constants]
    initial = [numpy_helper.from_array(inputs[i], names[i]) for i in constants]
    outputs = [(n, np.asarray(o)) for n, o in zip(results, outputs) if o is not None]
    node = helper.make_node(op, names, results, **attributes)
    graph = helper.make_graph([node], name, [info(n, a) for n, a in fed], [info(n, o) for n, o in outputs], initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    save(name, model, [a for _, a in fed], [o for _, o in outputs])


def t(a):
    return torch.from_numpy(np.ascontiguousarray(a))


def ints(*v):
    return np.array(v, np.int64)


def pools():
    x = numbers(2, 3, 9, 8)
    y, at = F.max_pool2d(t(x), 3, 2, 1, dilation=2, ceil_mode=True, return_indices=True)
    whole = at.numpy() + np.arange(6).reshape(2, 3, 1, 1) * 72
    case("pool/max_ceil_dilated_indices", "MaxPool", [x], [y.numpy(), whole], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4, dilations=[2, 2], ceil_mode=1)
    nan = x.copy()
    nan[0, 0, 4, 4] = np.nan
    case("pool/max_nan", "MaxPool", [nan], [F.max_pool2d(t(nan), 2, 1).numpy()], kernel_shape=[2, 2])
    x3 = numbers(1, 2, 5, 6, 7)
    case("pool/max_3d_strided", "MaxPool", [x3], [F.max_pool3d(t(x3), (2, 3, 2), (1, 2, 3), (1, 1, 0)).numpy()], kernel_shape=[2, 3, 2], strides=[1, 2, 3],
         pads=[1, 1, 0, 1, 1, 0])
    for include in (0, 1):
        y = F.avg_pool2d(t(x), 3, 2, 1, ceil_mode=True, count_include_pad=bool(include)).numpy()
        case(f"pool/average_ceil_pad{include}", "AveragePool", [x], [y], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4, ceil_mode=1, count_include_pad=include)
    case("pool/lp_p3", "LpPool", [np.abs(x)], [F.lp_pool2d(t(np.abs(x)), 3.0, 2, 2).numpy()], opset=18, kernel_shape=[2, 2], strides=[2, 2], p=3)
    case("pool/global_lp", "GlobalLpPool", [x], [np.sqrt((x.astype(np.float64) ** 2).sum((2, 3), keepdims=True)).astype(np.float32)])
    y, at = F.max_pool2d(t(x), 2, 2, return_indices=True)
    back = F.max_unpool2d(y, at, 2, 2, output_size=(8, 8)).numpy()
    whole = at.numpy() // 8 * 8 + at.numpy() % 8 + np.arange(6).reshape(2, 3, 1, 1) * 64
    case("pool/unpool", "MaxUnpool", [y.numpy(), whole], [back], kernel_shape=[2, 2], strides=[2, 2])


def plain_convolutions():
    x, w, b = numbers(2, 4, 7, 6), numbers(6, 2, 3, 2, seed=1), numbers(6, seed=2)
    y = F.conv2d(t(x), t(w), t(b), (2, 1), (1, 2), (2, 3), groups=2).numpy()
    case("conv/groups_strided_dilated", "Conv", [x, w, b], [y], strides=[2, 1], pads=[1, 2, 1, 2], dilations=[2, 3], group=2)
    w = numbers(8, 1, 3, 3, seed=3)
    case("conv/depthwise_twice", "Conv", [x, w], [F.conv2d(t(x), t(w), padding=1, groups=4).numpy()], pads=[1] * 4, group=4)
    x1, w1 = numbers(1, 3, 11), numbers(2, 3, 4, seed=4)
    case("conv/1d", "Conv", [x1, w1], [F.conv1d(t(np.pad(x1, ((0, 0), (0, 0), (3, 1)))), t(w1), stride=3).numpy()], strides=[3], pads=[3, 1])
    x3, w3 = numbers(1, 2, 4, 5, 6), numbers(3, 2, 2, 3, 2, seed=5)
    case("conv/3d", "Conv", [x3, w3], [F.conv3d(t(x3), t(w3), stride=(1, 2, 2), padding=(0, 1, 1)).numpy()], strides=[1, 2, 2], pads=[0, 1, 1, 0, 1, 1])


def convolutions():
    x, w, b = numbers(2, 4, 5, 6), numbers(4, 3, 3, 2, seed=1), numbers(6, seed=2)
    y = F.conv_transpose2d(t(x), t(w), t(b), (2, 3), (1, 0), (1, 2), groups=2, dilation=(2, 1)).numpy()
    case("conv_transpose/groups_dilated", "ConvTranspose", [x, w, b], [y], strides=[2, 3], pads=[1, 0, 1, 0], output_padding=[1, 2], group=2, dilations=[2, 1])
    x1, w1 = numbers(1, 2, 7), numbers(2, 3, 4, seed=3)
    case("conv_transpose/1d", "ConvTranspose", [x1, w1], [F.conv_transpose1d(t(x1), t(w1), None, 2, 1).numpy()], strides=[2], pads=[1, 1])
    columns = numbers(2, 12, 16, seed=4)
    case("conv_transpose/col2im", "Col2Im", [columns, ints(9, 8), ints(3, 2)],
         [F.fold(t(columns), (9, 8), (3, 2), dilation=(2, 1), padding=(1, 0), stride=(2, 2)).numpy()], opset=18, dilations=[2, 1], pads=[1, 0, 1, 0], strides=[2, 2])
    x, w, b = numbers(2, 4, 6, 7, seed=5), numbers(6, 2, 3, 3, seed=6), numbers(6, seed=7)
    offset, mask = numbers(2, 2 * 2 * 9, 3, 4, seed=8), np.abs(numbers(2, 2 * 9, 3, 4, seed=9))
    y = torchvision.ops.deform_conv2d(t(x), t(offset), t(w), t(b), (2, 2), (1, 1), (1, 1), t(mask)).numpy()
    case("conv_transpose/deform", "DeformConv", [x, w, offset, b, mask], [y], strides=[2, 2], pads=[1] * 4, group=2, offset_group=2)


def norms():
    x, g, b = numbers(2, 6, 4, 5, scale=3), numbers(6, seed=1), numbers(6, seed=2)
    case("norm/instance", "InstanceNormalization", [x, g, b], [F.instance_norm(t(x), weight=t(g), bias=t(b), eps=1e-3).numpy()], epsilon=1e-3)
    case("norm/group_21", "GroupNormalization", [x, g, b], [F.group_norm(t(x), 3, t(g), t(b), 1e-5).numpy()], opset=21, num_groups=3)
    layer_g, layer_b = numbers(4, 5, seed=3), numbers(4, 5, seed=4)
    case("norm/layer_two_axes", "LayerNormalization", [x, layer_g, layer_b], [F.layer_norm(t(x), (4, 5), t(layer_g), t(layer_b), 1e-5).numpy()], axis=2)
    case("norm/lrn", "LRN", [x], [F.local_response_norm(t(x), 5, 0.3, 0.6, 1.5).numpy()], size=5, alpha=0.3, beta=0.6, bias=1.5)
    case("norm/l1_axis1", "LpNormalization", [x], [F.normalize(t(x), 1.0, 1).numpy()], axis=1, p=1)
    case("norm/l2_zero", "LpNormalization", [np.zeros((2, 3), np.float32)], [np.zeros((2, 3), np.float32)])
    mean = x.astype(np.float64).mean((0, 2, 3), keepdims=True)
    case("norm/mean_variance", "MeanVarianceNormalization", [x], [((x - mean) / x.astype(np.float64).std((0, 2, 3), keepdims=True)).astype(np.float32)])
    mean, var = numbers(6, seed=5), np.abs(numbers(6, seed=6))
    m, v = t(mean.copy()), t(var.copy())
    y = F.batch_norm(t(x), m, v, t(g), t(b), True, 0.25).numpy()
    biased = var * 0.75 + x.astype(np.float64).var((0, 2, 3)).astype(np.float32) * 0.25  # ONNX keeps the biased variance
    case("norm/batch_training", "BatchNormalization", [x, g, b, mean, var], [y, m.numpy(), biased.astype(np.float32)], opset=15, training_mode=1, momentum=0.75)


def pads():
    x = numbers(1, 2, 4, 5)
    for mode, kind in (("reflect", "reflect"), ("edge", "edge"), ("wrap", "wrap")):
        case(f"pad/{mode}", "Pad", [x, ints(0, 0, 2, 3, 0, 1, 3, 1)], [np.pad(x, ((0, 0), (0, 1), (2, 3), (3, 1)), kind)], mode=mode)
    case("pad/reflect_wider_than_input", "Pad", [x[0, 0, 0, :3], ints(7, 5)], [np.pad(x[0, 0, 0, :3], (7, 5), "reflect")], mode="reflect")
    case("pad/negative", "Pad", [x, ints(0, 0, -1, 2, 0, 0, -2, -1), np.float32(7)], [np.pad(x[:, :, 1:2, :4], ((0, 0), (0, 0), (0, 0), (2, 0)), constant_values=7)])
    case("pad/int64", "Pad", [ints(1, 2, 3), ints(1, 2), ints(9)[0]], [ints(9, 1, 2, 3, 9, 9)])
    case("pad/center", "CenterCropPad", [x, ints(7, 2)], [np.pad(x[..., 1:3], ((0, 0), (0, 0), (1, 2), (0, 0)))], opset=18, axes=[2, 3])


def resizes():
    x = numbers(2, 3, 7, 9)

    def sized(name, y, **attributes):
        case(f"resize/{name}", "Resize", [x, None, None, ints(*y.shape)], [y.numpy()], constants=(3,), **attributes)

    half = dict(coordinate_transformation_mode="half_pixel")
    sized("bilinear", F.interpolate(t(x), (11, 5), mode="bilinear"), mode="linear", **half)
    sized("bilinear_corners", F.interpolate(t(x), (11, 5), mode="bilinear", align_corners=True), mode="linear", coordinate_transformation_mode="align_corners")
    sized("bilinear_antialias", F.interpolate(t(x), (3, 4), mode="bilinear", antialias=True), mode="linear", antialias=1, exclude_outside=1, **half)
    sized("bicubic", F.interpolate(t(x), (12, 4), mode="bicubic"), mode="cubic", **half)
    sized("bicubic_antialias", F.interpolate(t(x), (3, 4), mode="bicubic", antialias=True), mode="cubic", antialias=1, exclude_outside=1, cubic_coeff_a=-0.5, **half)
    sized("nearest", F.interpolate(t(x), (13, 5), mode="nearest"), mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    sized("nearest_exact", F.interpolate(t(x), (13, 5), mode="nearest-exact"), mode="nearest", nearest_mode="round_prefer_ceil", **half)
    y = F.interpolate(t(x), scale_factor=2, mode="nearest").numpy()
    case("resize/upsample7", "Upsample", [x], [y], opset=7, mode="nearest", scales=[1.0, 1.0, 2.0, 2.0])
    case("resize/10", "Resize", [x, np.array([1, 1, 2, 2], np.float32)], [y], opset=10, mode="nearest")
    x3 = numbers(1, 2, 3, 4, 5)
    y = F.interpolate(t(x3), (6, 2, 7), mode="trilinear").numpy()
    case("resize/trilinear", "Resize", [x3, None, None, ints(*y.shape)], [y], mode="linear", **half)
    bytes_ = np.arange(35, dtype=np.uint8).reshape(1, 1, 5, 7)
    case("resize/uint8_nearest", "Resize", [bytes_, None, np.array([1, 1, 2, 3], np.float32)], [bytes_.repeat(2, 2).repeat(3, 3)], mode="nearest",
         coordinate_transformation_mode="asymmetric", nearest_mode="floor")


def rearrangements():
    x = numbers(2, 12, 3, 4)
    case("rearrange/pixel_shuffle", "DepthToSpace", [x], [F.pixel_shuffle(t(x), 2).numpy()], blocksize=2, mode="CRD")
    y = numbers(2, 3, 6, 4)
    back = F.pixel_unshuffle(t(y), 2).numpy().reshape(2, 3, 4, 3, 2).transpose(0, 2, 1, 3, 4).reshape(2, 12, 3, 2)
    case("rearrange/space_to_depth", "SpaceToDepth", [y], [back], blocksize=2)


def samples():
    x, grid = numbers(2, 3, 5, 6), numbers(2, 4, 3, 2, seed=1)
    for padding in ("zeros", "border", "reflection"):
        for corners in (0, 1):
            for mode in ("bilinear", "nearest"):
                y = F.grid_sample(t(x), t(grid), mode, padding, bool(corners)).numpy()
                case(f"sample/{mode}_{padding}_{corners}", "GridSample", [x, grid], [y], opset=16, mode=mode, padding_mode=padding, align_corners=corners)
    inside = np.clip(grid, -0.5, 0.5)
    y = F.grid_sample(t(x), t(inside), "bicubic", "zeros", False).numpy()
    case("sample/bicubic", "GridSample", [x, inside], [y], opset=16, mode="bicubic")
    theta = numbers(2, 2, 3)
    for corners in (0, 1):
        case(f"sample/affine_{corners}", "AffineGrid", [theta, ints(2, 3, 4, 5)], [F.affine_grid(t(theta), (2, 3, 4, 5), bool(corners)).numpy()], opset=20,
             align_corners=corners)


def detections():
    x = numbers(2, 3, 10, 12)
    rois = np.array([[0, 1, 1, 9, 7], [1, -3, 2, 30, 8.5], [0, 4, 4, 4.5, 4.2], [1, 0, 0, 11, 9]], np.float32)
    for aligned in (False, True):
        y = torchvision.ops.roi_align(t(x), t(rois), (3, 4), 0.5, 2 if aligned else -1, aligned).numpy()
        case(f"detection/roi_align_{int(aligned)}", "RoiAlign", [x, rois[:, 1:].copy(), rois[:, 0].astype(np.int64)], [y], opset=16, output_height=3, output_width=4,
             sampling_ratio=2 if aligned else 0, spatial_scale=0.5, coordinate_transformation_mode="half_pixel" if aligned else "output_half_pixel")
    whole = np.array([[0, 1, 1, 9, 7], [1, 2, 2, 20, 8], [0, 4, 4, 4, 4]], np.float32)
    case("detection/roi_pool", "MaxRoiPool", [x, whole], [torchvision.ops.roi_pool(t(x), t(whole), (3, 2), 1.0).numpy()], pooled_shape=[3, 2])
    rng = np.random.default_rng(3)
    corners = rng.uniform(0, 10, (2, 30, 2)).astype(np.float32)
    boxes = np.concatenate([corners, corners + rng.uniform(1, 5, (2, 30, 2)).astype(np.float32)], 2)
    scores = rng.uniform(0, 1, (2, 3, 30)).astype(np.float32)
    picked = []
    for image in range(2):
        for k in range(3):
            kept = torchvision.ops.nms(t(boxes[image]), t(scores[image, k]), 0.4)
            kept = [i for i in kept.tolist() if scores[image, k, i] > 0.3][:6]
            picked += [[image, k, i] for i in kept]
    case("detection/nms", "NonMaxSuppression", [boxes, scores, ints(6), np.array([0.4], np.float32), np.array([0.3], np.float32)], [np.array(picked, np.int64)],
         opset=11)
    case("detection/nms_no_limit_is_none", "NonMaxSuppression", [boxes, scores], [np.zeros((0, 3), np.int64)], opset=11)


def controls():
    # Loop: doubles x until the count or the condition ends it, and collects every value; reads `step` of the surrounding graph.
    body = helper.make_graph(
        [
            helper.make_node("Add", ["x", "step"], ["x_out"]),
            helper.make_node("Identity", ["x_out"], ["collected"]),
            helper.make_node("Constant", [], ["limit"], value=numpy_helper.from_array(np.float32(10))),
            helper.make_node("ReduceMax", ["x_out"], ["largest"], keepdims=0),
            helper.make_node("Less", ["largest", "limit"], ["cond_out"]),
        ],
        "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []), helper.make_tensor_value_info("cond", TensorProto.BOOL, []),
         helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("cond_out", TensorProto.BOOL, []), helper.make_tensor_value_info("x_out", TensorProto.FLOAT, [2]),
         helper.make_tensor_value_info("collected", TensorProto.FLOAT, [2])])
    for count, name in ((100, "until_condition"), (3, "until_count"), (0, "never")):
        graph = helper.make_graph([helper.make_node("Loop", ["m", "", "start"], ["last", "all"], body=body)], "loop",
                                  [helper.make_tensor_value_info("m", TensorProto.INT64, []), helper.make_tensor_value_info("start", TensorProto.FLOAT, [2]),
                                   helper.make_tensor_value_info("step", TensorProto.FLOAT, [2])],
                                  [helper.make_tensor_value_info("last", TensorProto.FLOAT, [2]), helper.make_tensor_value_info("all", TensorProto.FLOAT, [None, 2])])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=8)
        x, step, seen = np.array([1, 2], np.float32), np.array([1.5, 2.5], np.float32), []
        y = x.copy()
        for _ in range(count):
            y = y + step
            seen.append(y)
            if not y.max() < 10:
                break
        save(f"control/loop_{name}", model, [np.int64(count), x, step], [y, np.array(seen, np.float32).reshape(-1, 2)])
    # Scan backwards along axis 1, collecting forwards along axis 1.
    body = helper.make_graph([helper.make_node("Add", ["s", "x"], ["s_out"]), helper.make_node("Identity", ["s_out"], ["y"])], "body",
                             [helper.make_tensor_value_info("s", TensorProto.FLOAT, [2]), helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
                             [helper.make_tensor_value_info("s_out", TensorProto.FLOAT, [2]), helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])])
    x = numbers(2, 4)
    sums = np.cumsum(x[:, ::-1], 1)
    case("control/scan_backwards", "Scan", [np.zeros(2, np.float32), x], [sums[:, -1], sums], num_scan_inputs=1, body=body, scan_input_axes=[1],
         scan_input_directions=[1], scan_output_axes=[1])


def quantised():
    x = numbers(2, 3, 4, scale=5)
    scale, zero = np.array([0.1, 0.05, 0.2], np.float32), np.array([3, -4, 0], np.int8)
    q = np.clip(np.rint(x / scale.reshape(1, 3, 1)) + zero.reshape(1, 3, 1), -128, 127).astype(np.int8)
    case("quantize/axis", "QuantizeLinear", [x, scale, zero], [q], opset=13, axis=1)
    case("quantize/dequantize_axis", "DequantizeLinear", [q, scale, zero], [((q.astype(np.float32) - zero.reshape(1, 3, 1)) * scale.reshape(1, 3, 1)).astype(np.float32)],
         opset=13, axis=1)
    rng = np.random.default_rng(0)
    a, w = rng.integers(0, 256, (1, 4, 6, 5)).astype(np.uint8), rng.integers(-128, 128, (6, 2, 3, 3)).astype(np.int8)
    bias = rng.integers(-1000, 1000, 6).astype(np.int32)
    w_scale = rng.uniform(0.01, 0.05, 6).astype(np.float32)
    exact = F.conv2d(t(a.astype(np.float64) - 120), t(w.astype(np.float64)), t(bias.astype(np.float64)), 2, 1, groups=2).numpy()
    y = np.clip(np.rint(exact * (0.02 * w_scale.astype(np.float64) / np.float64(np.float32(0.9))).reshape(1, 6, 1, 1)) + 100, 0, 255).astype(np.uint8)
    case("quantize/conv", "QLinearConv", [a, np.float32(0.02), np.uint8(120), w, w_scale, np.zeros(6, np.int8), np.float32(0.9), np.uint8(100), bias], [y], opset=10,
         strides=[2, 2], pads=[1] * 4, group=2)
    m, n = rng.integers(0, 256, (2, 3, 4)).astype(np.uint8), rng.integers(-128, 128, (4, 5)).astype(np.int8)
    product = (m.astype(np.int32) - 7) @ (n.astype(np.int32) - np.array([1, 2, 3, 4, 5]))
    case("quantize/matmul_integer", "MatMulInteger", [m, n, np.uint8(7), np.array([1, 2, 3, 4, 5], np.int8)], [product.astype(np.int32)], opset=10)
    wide = np.clip(np.rint(((m.astype(np.float64) - 7) @ (n.astype(np.float64) + 3)) * 0.5 * 0.25 / 16) + 10, -128, 127).astype(np.int8)
    case("quantize/matmul", "QLinearMatMul", [m, np.float32(0.5), np.uint8(7), n, np.float32(0.25), np.int8(-3), np.float32(16), np.int8(10)], [wide], opset=10)
    case("quantize/conv_integer", "ConvInteger", [a, w[:, :, :1, :1].copy(), np.uint8(120)],
         [F.conv2d(t(a.astype(np.float64) - 120), t(w[:, :, :1, :1].astype(np.float64)), groups=2).numpy().astype(np.int32)], opset=10, group=2)


def recurrent():
    torch.manual_seed(0)
    x = numbers(5, 2, 3)

    def weights(layer, order, directions):
        w, r, b = [], [], []
        for suffix in ("", "_reverse")[:directions]:
            def gates(name):
                parts = getattr(layer, name + "_l0" + suffix).detach().numpy()
                parts = np.split(parts, len(order))
                return np.concatenate([parts[i] for i in order])
            w.append(gates("weight_ih"))
            r.append(gates("weight_hh"))
            b.append(np.concatenate([gates("bias_ih"), gates("bias_hh")]))
        return np.stack(w), np.stack(r), np.stack(b)

    for kind, order, layer in (("RNN", [0], torch.nn.RNN), ("GRU", [1, 0, 2], torch.nn.GRU), ("LSTM", [0, 3, 1, 2], torch.nn.LSTM)):
        net = layer(3, 4, bidirectional=True)
        w, r, b = weights(net, order, 2)
        h, c = numbers(2, 2, 4, seed=1), numbers(2, 2, 4, seed=2)
        state = (t(h), t(c)) if kind == "LSTM" else t(h)
        y, last = net(t(x), state)
        y = y.detach().numpy().reshape(5, 2, 2, 4).transpose(0, 2, 1, 3)
        results = [y] + [v.detach().numpy() for v in (last if kind == "LSTM" else (last,))]
        extra = dict(linear_before_reset=1) if kind == "GRU" else {}
        inputs = [x, w, r, b, None, h] + ([c] if kind == "LSTM" else [])
        case(f"recurrent/{kind.lower()}_both", kind, inputs, results, opset=14, hidden_size=4, direction="bidirectional", **extra)


def graph_case(name, nodes, inputs, outputs, opset=18, constants=None, functions=(), extra_opsets=(), listed=(), expected=None):
    """A graph; expected outputs, where they are not given, come from ONNX's reference evaluator. `inputs` and `constants`: arrays by name; constants in `listed` also stand
    among the graph's inputs, behind the others."""
    constants = constants or {}
    fed = [info(n, np.asarray(a)) for n, a in inputs.items()] + [info(n, constants[n]) for n in listed]
    graph = helper.make_graph(nodes, name.replace("/", "_"), fed, [helper.make_tensor_value_info(n, t, None) for n, t in outputs.items()],
                              [numpy_helper.from_array(a, n) for n, a in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), *extra_opsets], ir_version=10, functions=list(functions))
    feeds = {n: np.asarray(a) for n, a in inputs.items()}
    feeds.update({n: constants[n] for n in listed})
    save(name, model, list(inputs.values()), expected or ReferenceEvaluator(model).run(None, feeds))


F32, I64, BOOL, F16 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL, TensorProto.FLOAT16


def sequences():
    node = helper.make_node
    x, y, z = numbers(2, 3), numbers(2, 3, seed=1), numbers(2, 3, seed=2)
    three = {"x": x, "y": y, "z": z}
    graph_case("sequence/construct", [node("SequenceConstruct", ["x", "y", "z"], ["s"]), node("SequenceAt", ["s", "last"], ["a"]), node("SequenceLength", ["s"], ["n"])],
               three, {"a": F32, "n": I64}, constants={"last": np.int64(-1)})
    graph_case("sequence/insert_erase",
               [node("SequenceEmpty", [], ["e"]), node("SequenceInsert", ["e", "x"], ["s1"]), node("SequenceInsert", ["s1", "y", "zero"], ["s2"]),
                node("SequenceInsert", ["s2", "z", "minus"], ["s3"]), node("ConcatFromSequence", ["s3"], ["a"], axis=0), node("SequenceErase", ["s3", "zero"], ["s4"]),
                node("ConcatFromSequence", ["s4"], ["b"], axis=-1, new_axis=1), node("SequenceErase", ["s4"], ["s5"]), node("SequenceLength", ["s5"], ["n"])],
               three, {"a": F32, "b": F32, "n": I64}, constants={"zero": np.int64(0), "minus": np.int64(-1)})
    w = numbers(3, 7)
    for name, extra, attributes, constants in (("one", [], {"axis": 1}, {}), ("squeezed", [], {"axis": 1, "keepdims": 0}, {}),
                                               ("equal", ["p"], {"axis": 1}, {"p": np.int64(3)}), ("list", ["p"], {"axis": -1}, {"p": ints(2, 0, 5)})):
        graph_case(f"sequence/split_{name}", [node("SplitToSequence", ["w", *extra], ["s"], **attributes), node("SequenceLength", ["s"], ["n"]),
                                              node("SequenceAt", ["s", "i"], ["a"]), node("SequenceAt", ["s", "j"], ["b"])],
                   {"w": w}, {"n": I64, "a": F32, "b": F32}, constants={"i": np.int64(0), "j": np.int64(-1), **constants})
    # A loop that collects values of growing shapes, and reads the sequence it has built so far.
    body = helper.make_graph(
        [node("Add", ["i", "one"], ["next"]), node("Unsqueeze", ["next", "axes"], ["shape"]), node("Expand", ["x0", "shape"], ["grown"]),
         node("SequenceInsert", ["s", "grown"], ["s_out"]), node("Identity", ["cond"], ["cond_out"])], "body",
        [helper.make_tensor_value_info("i", I64, []), helper.make_tensor_value_info("cond", BOOL, []), helper.make_tensor_sequence_value_info("s", F32, None)],
        [helper.make_tensor_value_info("cond_out", BOOL, []), helper.make_tensor_sequence_value_info("s_out", F32, None)])
    graph_case("sequence/loop", [node("SequenceEmpty", [], ["start"]), node("Loop", ["trips", "go", "start"], ["s"], body=body), node("ConcatFromSequence", ["s"], ["a"], axis=0),
                                 node("SequenceLength", ["s"], ["n"])],
               {"trips": np.int64(4), "x0": np.array([2.5], np.float32)}, {"a": F32, "n": I64}, constants={"one": np.int64(1), "axes": ints(0), "go": np.array(True)})
    branch = lambda order: helper.make_graph([node("SequenceConstruct", order, ["r"])], "branch", [], [helper.make_tensor_sequence_value_info("r", F32, None)])
    for flag in (True, False):
        graph_case(f"sequence/if_{flag}".lower(), [node("If", ["c"], ["s"], then_branch=branch(["x", "y"]), else_branch=branch(["z", "y", "x"])),
                                                   node("ConcatFromSequence", ["s"], ["a"], axis=1)],
                   {"c": np.array(flag), **three}, {"a": F32})
    body = helper.make_graph([node("Mul", ["item", "factor"], ["scaled"]), node("ReduceSum", ["item"], ["sum"], keepdims=0)], "body",
                             [helper.make_tensor_value_info("item", F32, None), helper.make_tensor_value_info("factor", F32, None)],
                             [helper.make_tensor_value_info("scaled", F32, None), helper.make_tensor_value_info("sum", F32, None)])
    seq = np.stack([x, y, z])
    save("sequence/map", helper.make_model(helper.make_graph(
        [node("SequenceConstruct", ["x", "y", "z"], ["s"]), node("SequenceMap", ["s", "f"], ["m", "t"], body=body), node("ConcatFromSequence", ["m"], ["a"], axis=0, new_axis=1),
         node("ConcatFromSequence", ["t"], ["b"], axis=0, new_axis=1)], "map", [info(n, a) for n, a in three.items()] + [info("f", np.float32(3))],
        [helper.make_tensor_value_info("a", F32, None), helper.make_tensor_value_info("b", F32, None)]), opset_imports=[helper.make_opsetid("", 18)], ir_version=8),
        [x, y, z, np.float32(3)], [seq * np.float32(3), seq.sum((1, 2))])
    # The reference evaluator keeps optional values as lists of one and does not unpack them: expected values written down.
    tensor_type = helper.make_tensor_type_proto(F32, None)
    nodes = [node("Optional", ["x"], ["o"]), node("OptionalHasElement", ["o"], ["h"]), node("OptionalGetElement", ["o"], ["g"]), node("Add", ["g", "y"], ["a"]),
             node("Optional", [], ["none"], type=tensor_type), node("OptionalHasElement", ["none"], ["k"])]
    graph = helper.make_graph(nodes, "optional", [info("x", x), info("y", y)], [helper.make_tensor_value_info(n, t, None) for n, t in (("h", BOOL), ("a", F32), ("k", BOOL))])
    save("sequence/optional", helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), [x, y], [np.array(True), x + y, np.array(False)])


def functions():
    node = helper.make_node

    def reference(n, attribute, name, kind):
        a = n.attribute.add()
        a.name, a.ref_attr_name, a.type = attribute, name, kind
        return n

    from onnx import AttributeProto

    opset = [helper.make_opsetid("", 18), helper.make_opsetid("local", 1)]
    leaky = reference(node("LeakyRelu", ["t"], ["y"]), "alpha", "slope", AttributeProto.FLOAT)
    scale = helper.make_function("local", "Scale", ["x", "w"], ["y"], [node("Mul", ["x", "w"], ["t"]), leaky], opset, ["slope"])
    default = helper.make_function("local", "Scale2", ["x", "w"], ["y"], [reference(node("Scale", ["x", "w"], ["y"], domain="local"), "slope", "steep", AttributeProto.FLOAT)], opset, [],
                                   [helper.make_attribute("steep", 0.25)])
    x, w = numbers(2, 3), numbers(3, seed=1)
    local = [helper.make_opsetid("local", 1)]
    rectified = x
    for slope in (0.5, 0.25, -1.0):
        rectified = np.where(rectified * w < 0, np.float32(slope) * (rectified * w), rectified * w)
    graph_case("function/attributes",
               [node("Scale", ["x", "w"], ["t"], domain="local", slope=0.5), node("Scale2", ["t", "w"], ["u"], domain="local"),
                node("Scale2", ["u", "w"], ["y"], domain="local", steep=-1.0)], {"x": x, "w": w}, {"y": F32}, functions=[scale, default], extra_opsets=local,
               expected=[rectified])
    # A sub-graph inside a function sees the function's values, and its names are the function's own: `t` stands in both.
    then = helper.make_graph([node("Neg", ["t"], ["r"])], "then", [], [helper.make_tensor_value_info("r", F32, None)])
    other = helper.make_graph([node("Add", ["t", "x"], ["r"])], "else", [], [helper.make_tensor_value_info("r", F32, None)])
    choose = helper.make_function("local", "Choose", ["c", "x"], ["y"], [node("Exp", ["x"], ["t"]), node("If", ["c"], ["y"], then_branch=then, else_branch=other)], opset)
    for flag in (True, False):
        graph_case(f"function/branch_{flag}".lower(), [node("Abs", ["x"], ["t"]), node("Choose", ["c", "t"], ["u"], domain="local"), node("Add", ["u", "t"], ["y"])],
                   {"c": np.array(flag), "x": x}, {"y": F32}, functions=[choose], extra_opsets=local)
    # A function of an older operator set; an input left out.
    old = helper.make_function("local", "Old", ["x", "low"], ["y"], [node("Clip", ["x", "low"], ["t"]), node("Softmax", ["t"], ["y"], axis=1)], [helper.make_opsetid("", 11)])
    x4 = numbers(2, 3, 2)
    flat = torch.softmax(t(x4.reshape(2, 6)), 1).reshape(2, 3, 2)  # operator set 11 takes the axis and all behind it
    graph_case("function/versions", [node("Old", ["x"], ["t"], domain="local"), node("Softmax", ["t"], ["y"], axis=1)], {"x": x4}, {"y": F32}, functions=[old], extra_opsets=local,
               expected=[torch.softmax(flat, 1).numpy()])


def small_network(kind):
    node = helper.make_node
    weights = {"w": numbers(6, 3, 3, 3, scale=0.3), "b": numbers(6, seed=1), "scale": np.abs(numbers(6, seed=2)) + 0.5, "shift": numbers(6, seed=3), "mean": numbers(6, seed=4),
               "var": np.abs(numbers(6, seed=5)) + 0.5, "fc": numbers(4, 6, seed=6), "fb": numbers(4, seed=7)}
    nodes = [node("Conv", ["x", "w", "b"], ["t0"], pads=[1, 1, 1, 1]), node("BatchNormalization", ["t0", "scale", "shift", "mean", "var"], ["t1"]),
             node("Relu", ["t1"], ["t2"]), node("MaxPool", ["t2"], ["t3"], kernel_shape=[2, 2], strides=[2, 2]), node("HardSwish", ["t3"], ["t4"]),
             node("GlobalAveragePool", ["t4"], ["t5"]), node("Flatten", ["t5"], ["t6"]), node("Gemm", ["t6", "fc", "fb"], ["t7"], transB=1), node("Softmax", ["t7"], ["y"])]
    return nodes, {n: a.astype(kind) for n, a in weights.items()}


def networks():
    node = helper.make_node
    x = numbers(2, 3, 8, 8)
    nodes, weights = small_network(np.float16)
    graph_case("network/float16", nodes, {"x": x.astype(np.float16)}, {"y": F16}, constants=weights)
    nodes, weights = small_network(np.float32)
    # bfloat16 throughout; NumPy has no such type, so that casts stand at both ends.
    cast = [node("Cast", [n], [n + "_16"], to=TensorProto.BFLOAT16) for n in ("x", *weights)]
    inner = [helper.make_node(n.op_type, [i + "_16" if i in weights or i == "x" else i for i in n.input], ["y_16" if o == "y" else o for o in n.output],
                              **{a.name: helper.get_attribute_value(a) for a in n.attribute}) for n in nodes]
    graph_case("network/bfloat16", cast + inner + [node("Cast", ["y_16"], ["y"], to=F32)], {"x": x}, {"y": F32}, constants=weights)
    # Weights wherever they stand: among the inputs too, in Constant nodes, behind Identity.
    graph_case("weights/listed", nodes, {"x": x}, {"y": F32}, constants=weights, listed=tuple(weights))
    constants = [node("Constant", [], [n], value=numpy_helper.from_array(a)) for n, a in weights.items()]
    graph_case("weights/constant_nodes", constants + nodes, {"x": x}, {"y": F32})
    graph_case("weights/identity", [node("Identity", [n + "_0"], [n]) for n in weights] + nodes, {"x": x}, {"y": F32}, constants={n + "_0": a for n, a in weights.items()})


def rare():
    node = helper.make_node
    v = np.array([2, 1, 1, 3, 4, 3, 1], np.float32)
    for name, attributes in (("sorted", {}), ("unsorted", {"sorted": 0})):
        graph_case(f"rare/unique_{name}", [node("Unique", ["v"], ["y", "first", "inverse", "count"], **attributes)], {"v": v}, {"y": F32, "first": I64, "inverse": I64, "count": I64})
    m = np.array([[1, 0, 1], [2, 3, 2], [1, 0, 1], [0, 5, 0]], np.float32)
    for axis in (0, 1):
        graph_case(f"rare/unique_axis{axis}", [node("Unique", ["m"], ["y", "first", "inverse", "count"], axis=axis)], {"m": m}, {"y": F32, "first": I64, "inverse": I64, "count": I64})
    x, grid = numbers(1, 2, 3, 4, 5), numbers(1, 2, 2, 3, 3, seed=1, scale=0.5)
    graph_case("rare/cubic_3d", [node("GridSample", ["x", "g"], ["y"], mode="cubic")], {"x": x, "g": grid}, {"y": F32}, opset=20)
    rng = np.random.default_rng(7)
    a, b = rng.integers(0, 256, (2, 3, 4)).astype(np.uint8), rng.integers(0, 256, (2, 4, 5)).astype(np.uint8)

    def qlinear(name, a_scale, a_zero, b_scale, b_zero, y_scale, y_zero):
        exact = (a.astype(np.float64) - a_zero) @ (b.astype(np.float64) - b_zero) * (a_scale.astype(np.float64) * b_scale / y_scale)
        y = np.clip(np.rint(exact) + y_zero, 0, 255).astype(np.uint8)
        flat = lambda v: v.reshape(-1) if v.ndim == 2 else v
        case(f"rare/qlinear_{name}", "QLinearMatMul", [a, flat(a_scale), flat(a_zero.astype(np.uint8)), b, flat(b_scale), flat(b_zero.astype(np.uint8)), np.float32(y_scale),
                                                      np.uint8(y_zero)], [y], opset=21)

    qlinear("rows", rng.uniform(0.01, 0.1, (3, 1)).astype(np.float32), rng.integers(0, 255, (3, 1)), rng.uniform(0.01, 0.1, 5).astype(np.float32), rng.integers(0, 255, 5), 9.0, 120)
    qlinear("matrices", rng.uniform(0.01, 0.1, (2, 3, 1)).astype(np.float32), rng.integers(0, 255, (2, 3, 1)), rng.uniform(0.01, 0.1, (2, 1, 5)).astype(np.float32),
            rng.integers(0, 255, (2, 1, 5)), 9.0, 120)
    # Dropout draws as NumPy's RandomState does.
    d = numbers(5, 200)
    mask = np.random.RandomState(42).uniform(0, 1, d.shape) >= 0.3
    case("rare/dropout", "Dropout", [d, np.float32(0.3), np.array(True)], [np.where(mask, d / (1 - np.float64(np.float32(0.3))), 0).astype(np.float32), mask], opset=13, seed=42)
    # Batch normalisation of old operator sets: statistics of each element (spatial = 0), and training told by the outputs.
    n = numbers(4, 2, 3)
    p = [numbers(6, seed=i) for i in range(1, 4)] + [np.abs(numbers(6, seed=4)) + 0.1]
    full = [q.reshape(1, 2, 3).astype(np.float64) for q in p]
    y = (n - full[2]) / np.sqrt(full[3] + 1e-5) * full[0] + full[1]
    case("rare/batch_spatial0", "BatchNormalization", [n, *p], [y.astype(np.float32)], opset=8, spatial=0)
    p = [numbers(2, seed=i) for i in range(1, 4)] + [np.abs(numbers(2, seed=4)) + 0.1]
    wide = n.astype(np.float64)
    mean, var = wide.mean((0, 2)), wide.var((0, 2))
    y = (wide - mean.reshape(1, 2, 1)) / np.sqrt(var.reshape(1, 2, 1) + 1e-5) * p[0].reshape(1, 2, 1) + p[1].reshape(1, 2, 1)
    outputs = [y, p[2] * 0.8 + mean * 0.2, p[3] * 0.8 + var * 0.2, mean, var]
    case("rare/batch_training9", "BatchNormalization", [n, *p], [o.astype(np.float32) for o in outputs], opset=9, momentum=0.8)
    # Scan of operator set 8: batches, lengths, one direction backwards.
    body = helper.make_graph([node("Add", ["s", "x"], ["s_out"]), node("Identity", ["s_out"], ["y"])], "body", [info("s", numbers(2)), info("x", numbers(2))],
                             [info("s_out", numbers(2)), info("y", numbers(2))])
    seq, start, lengths = numbers(2, 4, 2), numbers(2, 2, seed=1), ints(3, 4)
    for backwards in (0, 1):
        sums, last = np.zeros_like(seq), start.copy()
        for k in range(2):
            for i in range(lengths[k]):
                last[k] = last[k] + seq[k, lengths[k] - 1 - i if backwards else i]
                sums[k, i] = last[k]
        case(f"rare/scan8_{backwards}", "Scan", [lengths, start, seq], [last, sums], opset=8, body=body, num_scan_inputs=1, directions=[backwards])


def seeds():
    onnx_seeds = CORPUS / "onnx_fuzz"
    shutil.rmtree(onnx_seeds, ignore_errors=True)
    onnx_seeds.mkdir(parents=True)
    for family, name in SEEDS:
        (onnx_seeds / f"{family}_{name}").write_bytes(families[family][f"{name}/model"].tobytes())
    tensors = CORPUS / "safetensors_fuzz"
    shutil.rmtree(tensors, ignore_errors=True)
    tensors.mkdir(parents=True)

    def file(name, header, data):
        (tensors / name).write_bytes(struct.pack("<Q", len(header)) + header + data)

    file("empty", b"{}", b"")
    file("one", b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', bytes(8))
    file("two", b'{"__metadata__":{"k":"v"},"a":{"dtype":"U8","shape":[],"data_offsets":[4,5]},"b":{"dtype":"BF16","shape":[1,2],"data_offsets":[0,4]}}', bytes(5))


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    for part in (pools, plain_convolutions, convolutions, norms, pads, resizes, rearrangements, samples, detections, controls, quantised, recurrent, sequences, functions, networks,
                 rare):
        part()
    for family, tensors in families.items():
        save_file(tensors, OUT / f"{family}.safetensors")
    seeds()
    print(sum(name.endswith("/model") for tensors in families.values() for name in tensors), "cases")


if __name__ == "__main__":
    main()
