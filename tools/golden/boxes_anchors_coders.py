"""Writes tests/golden/boxes/{formats,clip,anchors,coders,rotated,matching,fusion}/.

    python tools/golden/boxes_anchors_coders.py [--detectron2 CHECKOUT]

Needs torch, torchvision, ultralytics, shapely, ensemble-boxes and supervision. detectron2 cannot be installed from the package index: its
Python files box_regression.py, anchor_generator.py and matcher.py are run from a checkout, with stand-ins for what they import; without
--detectron2 the files made from them (d2_*.npy) stay as they are.
"""

import argparse
import pathlib

import numpy as np
import torch
import torchvision.ops as ops

parser = argparse.ArgumentParser()
parser.add_argument("--detectron2", type=pathlib.Path, help="a checkout of facebookresearch/detectron2")
args = parser.parse_args()
root = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "boxes"


def save(name, array):
    path = root / f"{name}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    if torch.is_tensor(array):
        array = array.numpy()
    np.save(path, np.ascontiguousarray(array))


def random_boxes(rng, n, size=640.0, smallest=1.0):
    xy = rng.uniform(-20, size, (n, 2))
    wh = np.exp(rng.uniform(np.log(smallest), np.log(size / 2), (n, 2)))
    return np.concatenate([xy, xy + wh], 1)


def formats():
    rng = np.random.default_rng(1)
    aligned = random_boxes(rng, 40)
    n = 40
    rotated = np.concatenate([rng.uniform(0, 640, (n, 2)), rng.uniform(1, 200, (n, 2)), rng.uniform(-179, 179, (n, 1))], 1)
    rotated[:8, 4] = [0, 90, -90, 180, 45, -45, 30, -60]
    rotated[3, 4] = 179.5
    for type_name, dtype in (("float32", torch.float32), ("float64", torch.float64)):
        for kind, base, base_format, names in (("aligned", aligned, "xyxy", ("xyxy", "xywh", "cxcywh")),
                                               ("rotated", rotated, "cxcywhr", ("xywhr", "cxcywhr", "xyxyxyxy"))):
            for a in names:
                start = ops.box_convert(torch.tensor(base, dtype=dtype), base_format, a)
                save(f"formats/{kind}_{a}_{type_name}", start)
                if kind == "aligned":
                    save(f"formats/area_{a}_{type_name}", ops.box_area(start, fmt=a))
                for b in names:
                    save(f"formats/{a}_to_{b}_{type_name}", ops.box_convert(start, a, b))


def clip():
    from ultralytics.utils.ops import scale_boxes

    rng = np.random.default_rng(2)
    boxes = torch.tensor(random_boxes(rng, 60), dtype=torch.float32)
    boxes[3, 2] = boxes[3, 0] + 50  # exactly the limit, or a rounding beside it
    boxes[4] = torch.tensor([0.0, 0, 50, 50])
    save("clip/boxes", boxes)
    save("clip/clipped_300_400", ops.clip_boxes_to_image(boxes, (300, 400)))
    save("clip/kept_20_1", ops.remove_small_boxes(boxes, 20.1))
    save("clip/kept_50", ops.remove_small_boxes(boxes, 50))

    boxes = torch.tensor(random_boxes(rng, 20), dtype=torch.float32)
    save("clip/scale_boxes", boxes)
    boxes = boxes.double()
    for k, (h1, w1, h0, w0) in enumerate([(640, 640, 427, 640), (640, 640, 1080, 1920), (384, 640, 1081, 1917), (640, 640, 333, 200)]):
        save(f"clip/scaled_padding_{k}", scale_boxes((h1, w1), boxes.clone(), (h0, w0)))
        save(f"clip/scaled_corner_{k}", scale_boxes((h1, w1), boxes.clone(), (h0, w0), padding=False))
        save(f"clip/scaled_xywh_{k}", scale_boxes((h1, w1), boxes.clone(), (h0, w0), xywh=True))
        save(f"clip/scaled_ratio_pad_{k}", scale_boxes((h1, w1), boxes.clone(), (h0, w0), ratio_pad=((0.5, 0.5), (16, 7.5))))



def detectron2_module(name):
    """One Python file of detectron2, with stand-ins for its imports."""
    import importlib.util
    import sys
    import types

    def stub(module, **names):
        sys.modules.setdefault(module, types.ModuleType(module)).__dict__.update(names)

    def nothing(*_, **__):
        raise NotImplementedError

    stub("fvcore")
    stub("fvcore.nn", giou_loss=nothing, smooth_l1_loss=nothing)
    stub("detectron2")
    stub("detectron2.config", configurable=lambda f: f)
    stub("detectron2.layers", cat=torch.cat, ciou_loss=nothing, diou_loss=nothing, ShapeSpec=None,
         nonzero_tuple=lambda x: x.nonzero(as_tuple=True), move_device_like=lambda x, _: x)
    stub("detectron2.structures", Boxes=lambda x: x, RotatedBoxes=lambda x: x)

    class Registry:
        def __init__(self, _):
            pass

        def register(self):
            return lambda c: c

    stub("detectron2.utils")
    stub("detectron2.utils.registry", Registry=Registry)
    spec = importlib.util.spec_from_file_location(name, args.detectron2 / "detectron2" / "modeling" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # torch.jit.script looks the source up there
    spec.loader.exec_module(module)
    return module


def coders():
    from torchvision.models.detection._utils import BoxCoder, BoxLinearCoder

    rng = np.random.default_rng(3)
    n = 50
    anchors = torch.tensor(random_boxes(rng, n, smallest=8), dtype=torch.float32)
    boxes = torch.tensor(random_boxes(rng, n, smallest=8), dtype=torch.float32)
    deltas = torch.tensor(rng.normal(0, 1.5, (n, 12)), dtype=torch.float32)
    deltas[:4, 2:4] = torch.tensor([5.0, 30.0])  # beyond the clamp
    save("coders/anchors", anchors)
    save("coders/boxes", boxes)
    save("coders/deltas", deltas)
    for kind, weights in (("unit", (1.0, 1.0, 1.0, 1.0)), ("weighted", (10.0, 10.0, 5.0, 5.0))):
        coder = BoxCoder(weights)
        save(f"coders/rcnn_encoded_{kind}", coder.encode_single(boxes.double(), anchors.double()))
        save(f"coders/rcnn_decoded_{kind}", coder.decode_single(deltas.double(), anchors.double()))
    for normalize in (True, False):
        coder = BoxLinearCoder(normalize)
        save(f"coders/linear_encoded_{int(normalize)}", coder.encode(anchors.double(), boxes.double()))  # reference boxes first, unlike BoxCoder
        save(f"coders/linear_decoded_{int(normalize)}", coder.decode(deltas[:, :4].double(), anchors.double()))

    rotated = lambda k: torch.tensor(np.concatenate(
        [rng.uniform(0, 640, (k, 2)), rng.uniform(4, 300, (k, 2)), rng.uniform(-400, 400, (k, 1))], 1), dtype=torch.float32)
    rotated_anchors, rotated_boxes = rotated(n), rotated(n)
    rotated_deltas = torch.tensor(rng.normal(0, 1.5, (n, 10)), dtype=torch.float32)
    if args.detectron2:
        save("coders/d2_rotated_anchors", rotated_anchors)
        save("coders/d2_rotated_boxes", rotated_boxes)
        save("coders/d2_rotated_deltas", rotated_deltas)
        m = detectron2_module("box_regression")
        for kind, weights in (("unit", (1.0, 1.0, 1.0, 1.0, 1.0)), ("weighted", (10.0, 10.0, 5.0, 5.0, 2.0))):
            coder = m.Box2BoxTransformRotated(weights)
            save(f"coders/d2_rotated_encoded_{kind}", coder.get_deltas(rotated_anchors.double(), rotated_boxes.double()))
            save(f"coders/d2_rotated_decoded_{kind}", coder.apply_deltas(rotated_deltas.double(), rotated_anchors.double()))
        save("coders/d2_rcnn_decoded", m.Box2BoxTransform((10.0, 10.0, 5.0, 5.0)).apply_deltas(deltas, anchors))
        for normalize in (True, False):
            coder = m.Box2BoxTransformLinear(normalize)
            save(f"coders/d2_linear_encoded_{int(normalize)}", coder.get_deltas(anchors.double(), boxes.double()))
            save(f"coders/d2_linear_decoded_{int(normalize)}", coder.apply_deltas(deltas[:, :4].double(), anchors.double()))

    # SSD: the formulas of Caffe's bbox_util.cpp (DecodeBBox) in double.
    priors = anchors.double().numpy() / 640
    codes = rng.normal(0, 1.5, (n, 4))
    v = np.array([0.1, 0.1, 0.2, 0.2])
    save("coders/ssd_priors", priors)
    save("coders/ssd_codes", codes)
    pw, ph = priors[:, 2] - priors[:, 0], priors[:, 3] - priors[:, 1]
    cx = v[0] * codes[:, 0] * pw + (priors[:, 0] + priors[:, 2]) / 2
    cy = v[1] * codes[:, 1] * ph + (priors[:, 1] + priors[:, 3]) / 2
    w, h = np.exp(v[2] * codes[:, 2]) * pw, np.exp(v[3] * codes[:, 3]) * ph
    save("coders/ssd_center_size", np.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], 1))
    save("coders/ssd_corner", priors + v * codes)
    save("coders/ssd_corner_size", priors + v * codes * np.stack([pw, ph, pw, ph], 1))

    # YOLO: darknet's get_region_box / get_yolo_box, detection layer, and yolov5's Detect layer, as formulas in double.
    sigmoid = lambda x: 1 / (1 + np.exp(-x))
    height, width, stride, classes = 3, 4, 16, 2
    yolo_priors = np.array([[10.0, 13], [33, 23], [62, 45]])
    head = rng.normal(0, 2, (3, 5 + classes, height, width))
    save("coders/yolo_head", head.reshape(-1, height, width).astype(np.float32))
    head = head.astype(np.float32).astype(np.float64)
    gx, gy = np.meshgrid(np.arange(width), np.arange(height))
    for kind, k in (("v3", 1.0), ("v4", 1.2)):
        x = (k * sigmoid(head[:, 0]) - (k - 1) / 2 + gx) * stride
        y = (k * sigmoid(head[:, 1]) - (k - 1) / 2 + gy) * stride
        w, h = np.exp(head[:, 2]) * yolo_priors[:, :1, None], np.exp(head[:, 3]) * yolo_priors[:, 1:, None]
        save(f"coders/yolo_{kind}", np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], -1).reshape(-1, 4))
    s = sigmoid(head)
    x, y = (s[:, 0] * 2 - 0.5 + gx) * stride, (s[:, 1] * 2 - 0.5 + gy) * stride
    w, h = (s[:, 2] * 2) ** 2 * yolo_priors[:, :1, None], (s[:, 3] * 2) ** 2 * yolo_priors[:, 1:, None]
    save("coders/yolo_v5", np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], -1).reshape(-1, 4))
    save("coders/yolo_objectness", s[:, 4].reshape(-1))
    save("coders/yolo_classes", s[:, 5:].transpose(0, 2, 3, 1).reshape(-1, classes))
    soft = torch.tensor(head[:, 5:]).softmax(1).numpy()
    save("coders/yolo_softmax", soft.transpose(0, 2, 3, 1).reshape(-1, classes))

    side, per_cell, image_h, image_w = 3, 2, 448, 640
    v1 = rng.uniform(0, 1, (side * side * per_cell, 4))
    rows = []
    for i, (tx, ty, tw, th) in enumerate(v1):
        cell = i // per_cell
        x, y = (cell % side + tx) / side * image_w, (cell // side + ty) / side * image_h
        w, h = tw**2 * image_w, th**2 * image_h
        rows.append([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
    save("coders/yolo_v1_codes", v1)
    save("coders/yolo_v1_boxes", np.array(rows))

    from ultralytics.nn.modules.block import DFL
    from ultralytics.utils.tal import bbox2dist, dist2bbox, make_anchors

    logits = torch.tensor(rng.normal(0, 3, (1, 64, 21)), dtype=torch.float32)
    distances = DFL(16)(logits)
    save("coders/dfl_logits", logits[0])
    save("coders/dfl_distances", distances[0])
    points, strides = make_anchors([torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 1, 1)], [8, 16, 32])
    save("coders/v8_points", points * strides)
    save("coders/v8_strides", strides[:, 0])
    save("coders/v8_boxes", dist2bbox(distances[0].T, points, xywh=False) * strides)
    v8_truth = torch.tensor(random_boxes(rng, 21, size=32, smallest=4), dtype=torch.float32)
    save("coders/v8_truth", v8_truth)
    save("coders/v8_targets", bbox2dist(points, v8_truth / strides, 16))



def anchors():
    from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator
    from torchvision.models.detection.image_list import ImageList

    def run(generator, grids, image):
        features = [torch.zeros(1, 1, *g) for g in grids]
        return generator(ImageList(torch.zeros(1, 3, *image), [image]), features)[0]

    save("anchors/rpn_torchvision", run(AnchorGenerator(), [(3, 4)], (50, 70)))  # strides 16 and 17
    save("anchors/cells_torchvision", AnchorGenerator(((25, 125, 250),), ((0.3, 1.0, 4.0),)).cell_anchors[0])  # halves to round
    sizes = tuple((x, int(x * 2 ** (1.0 / 3)), int(x * 2 ** (2.0 / 3))) for x in [32, 64, 128, 256, 512])
    grids = [(8, 6), (4, 3), (2, 2), (1, 1), (1, 1)]
    save("anchors/retinanet_torchvision", run(AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * 5), grids, (64, 48)))

    ssd_grids = [(5, 5), (3, 3), (2, 2), (2, 1), (1, 1), (1, 1)]
    ratios = [[2], [2, 3], [2, 3], [2, 3], [2], [2]]
    save("anchors/ssd_default", run(DefaultBoxGenerator(ratios), ssd_grids, (300, 300)))
    steps = [8, 16, 32, 64, 100, 300]
    scales = [0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05]
    save("anchors/ssd_steps", run(DefaultBoxGenerator(ratios, scales=scales, steps=steps, clip=False), ssd_grids, (300, 320)))
    save("anchors/ssd_normalized", DefaultBoxGenerator([[2.0]], 0.2, 0.6)._grid_default_boxes([(2, 3)], (10, 30)))

    if args.detectron2:
        m = detectron2_module("anchor_generator")
        g = m.DefaultAnchorGenerator(sizes=[[32, 64, 128]], aspect_ratios=[[0.5, 1.0, 2.0]], strides=[16], offset=0.5)
        save("anchors/d2_rpn", g([torch.zeros(1, 1, 3, 4)])[0])
        d2_sizes = [[x, x * 2 ** (1.0 / 3), x * 2 ** (2.0 / 3)] for x in [32, 64, 128, 256, 512]]
        g = m.DefaultAnchorGenerator(sizes=d2_sizes, aspect_ratios=[[0.5, 1.0, 2.0]], strides=[8, 16, 32, 64, 128], offset=0.0)
        save("anchors/d2_retinanet", torch.cat(g([torch.zeros(1, 1, *f) for f in grids])))
        g = m.RotatedAnchorGenerator(sizes=[[32, 64]], aspect_ratios=[[0.5, 2.0]], strides=[8], angles=[[-90, -45, 0, 45]], offset=0.25)
        save("anchors/d2_rotated", g([torch.zeros(1, 1, 2, 3)])[0])

    # yolo_priors: the best of 30 plain k-means on 1 - IoU, as a mark to reach.
    rng = np.random.default_rng(4)
    centres = np.array([[20.0, 30], [60, 40], [100, 220], [300, 180], [150, 150]])
    wh = np.exp(rng.normal(0, 0.35, (600, 2))) * centres[rng.integers(0, 5, 600)]
    wh = wh.astype(np.float32).astype(np.float64)

    def iou(a, b):
        inter = np.minimum(a[:, None], b[None]).prod(2)
        return inter / (a.prod(1)[:, None] + b.prod(1)[None] - inter)

    marks = []
    for k in (1, 3, 5, 9):
        best = 0
        for _ in range(30):
            c = wh[rng.choice(len(wh), k, replace=False)]
            for _ in range(100):
                label = iou(wh, c).argmax(1)
                c = np.array([wh[label == j].mean(0) if (label == j).any() else c[j] for j in range(k)])
            best = max(best, iou(wh, c).max(1).mean())
        marks.append([k, best])
    save("anchors/yolo_sizes", wh.astype(np.float32))
    save("anchors/yolo_marks", np.array(marks))


def matching():
    from torchvision.models.detection._utils import Matcher, SSDMatcher

    rng = np.random.default_rng(5)
    objects = torch.tensor(random_boxes(rng, 12, size=200, smallest=20), dtype=torch.float32)
    anchors = torch.tensor(np.concatenate([random_boxes(rng, 150, size=200, smallest=20),
                                           objects.numpy()[:4] + rng.normal(0, 3, (4, 4))]), dtype=torch.float32)
    quality = ops.box_iou(objects, anchors)
    quality[5] = 0  # an object that no anchor touches
    quality[6, 10:14] = 0.9  # ties for an object
    quality[7:9, 20] = 0.95  # ties for an anchor
    quality[:, 30] = 0.3
    quality[:, 31] = 0.7  # exactly the thresholds, as floats
    save("matching/quality", quality)
    for low_quality in (False, True):
        save(f"matching/torchvision_{int(low_quality)}", Matcher(0.7, 0.3, low_quality)(quality))
        save(f"matching/torchvision_without_5_{int(low_quality)}", Matcher(0.5, 0.4, low_quality)(quality[[0, 1, 2, 3, 4, 6, 7, 8, 9]]))
    save("matching/torchvision_ssd", SSDMatcher(0.5)(quality[[0, 1, 2, 3, 4, 6, 7, 9, 10]]))
    if args.detectron2:
        m = detectron2_module("matcher")
        for low_quality in (False, True):
            index, labels = m.Matcher([0.3, 0.7], [0, -1, 1], low_quality)(quality)
            save(f"matching/d2_index_{int(low_quality)}", index)
            save(f"matching/d2_labels_{int(low_quality)}", labels)



def rotated():
    """Polygons by shapely (GEOS), in double, from float32 inputs."""
    from shapely.geometry import MultiPoint, Polygon

    rng = np.random.default_rng(6)

    def corners(b):
        cx, cy, w, h, a = (float(v) for v in b)
        c, s = np.cos(np.radians(a)), np.sin(np.radians(a))
        return [(cx + i * w / 2 * c + j * h / 2 * s, cy - i * w / 2 * s + j * h / 2 * c) for i, j in ((-1, -1), (1, -1), (1, 1), (-1, 1))]

    def iou(p, q):
        inter = p.intersection(q).area
        return inter / (p.area + q.area - inter)

    n = 40
    boxes = np.concatenate([rng.uniform(0, 120, (n, 2)), np.exp(rng.uniform(1, 5, (n, 2))), rng.uniform(-360, 360, (n, 1))], 1)
    boxes[30:] = boxes[20:30] + rng.normal(0, 1e-3, (10, 5))  # nearly equal
    boxes[28, 4] = boxes[29, 4] + 90
    boxes = boxes.astype(np.float32)
    polygons = [Polygon(corners(b)) for b in boxes]
    matrix = np.array([[iou(p, q) for q in polygons] for p in polygons])
    save("rotated/boxes", boxes)
    save("rotated/iou", matrix)

    scores = rng.permutation(n).astype(np.float32) / n
    classes = rng.integers(0, 3, n)
    save("rotated/scores", scores)
    save("rotated/classes", classes)

    def nms(threshold, per_class):
        kept = []
        for i in np.argsort(-scores):
            if all(matrix[k, i] <= threshold or (per_class and classes[k] != classes[i]) for k in kept):
                kept.append(i)
        return np.array(kept)

    save("rotated/nms", nms(0.3, False))
    save("rotated/batched_nms", nms(0.3, True))

    points = rng.uniform(0, 100, (n, 4, 2)) * rng.uniform(0.2, 1, (n, 1, 1)) + rng.uniform(0, 20, (n, 1, 2))
    points = points.astype(np.float32)  # most of them not convex or crossing themselves
    hulls = [MultiPoint([tuple(map(float, p)) for p in q]).convex_hull for q in points]
    save("rotated/quads", points.reshape(n, 8))
    save("rotated/quad_iou", np.array([[iou(p, q) for q in hulls] for p in hulls]))



def fusion():
    import warnings

    import supervision as sv
    from ensemble_boxes import non_maximum_weighted, weighted_boxes_fusion
    from supervision.detection.utils.iou_and_nms import OverlapMetric

    warnings.simplefilter("ignore")
    rng = np.random.default_rng(7)
    centres = random_boxes(rng, 12, size=0.8, smallest=0.1)
    models = []
    for m, n in enumerate((30, 22, 0, 41)):  # one model finds nothing
        which = rng.integers(0, 12, n)
        boxes = (centres[which] + rng.normal(0, 0.02, (n, 4))).astype(np.float32)
        scores = rng.permutation(np.linspace(0.05, 0.95, n)).astype(np.float32) * np.float32(1 - 0.013 * m)
        labels = which % 3
        if n:
            boxes[0] = [0.5, 0.5, 0.3, 0.2]  # reversed
            boxes[1] = [0.3, 0.3, 0.3, 0.6]  # without area
            boxes[2] = [-0.4, 0.2, 1.7, 0.8]  # outside
        models.append((boxes, scores, labels))
        save(f"fusion/boxes_{m}", boxes)
        save(f"fusion/scores_{m}", scores)
        save(f"fusion/labels_{m}", labels.astype(np.int64))
    lists = [[x[i] for x in models] for i in range(3)]

    def keep(name, result):
        boxes, scores, labels = result
        save(f"fusion/{name}", np.concatenate([boxes, scores[:, None], labels[:, None]], 1))

    for conf_type in ("avg", "max", "box_and_model_avg", "absent_model_aware_avg"):
        keep(f"wbf_{conf_type}", weighted_boxes_fusion(*lists, weights=[2, 1, 1, 3], iou_thr=0.5, skip_box_thr=0.1, conf_type=conf_type))
    keep("wbf_plain", weighted_boxes_fusion(*lists))
    keep("wbf_overflow", weighted_boxes_fusion(*lists, weights=[0.5, 1, 1, 2], iou_thr=0.4, allows_overflow=True))
    keep("nmw", non_maximum_weighted(*lists, weights=[2, 1, 1, 3], iou_thr=0.5, skip_box_thr=0.1))
    keep("nmw_plain", non_maximum_weighted(*lists))

    boxes = np.concatenate([m[0] for m in models]) * np.float32(640)
    scores = np.concatenate([m[1] for m in models])
    labels = np.concatenate([m[2] for m in models]).astype(int)
    good = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    boxes, scores, labels = boxes[good], scores[good] + np.arange(good.sum(), dtype=np.float32) * 1e-5, labels[good]
    save("fusion/merge_boxes", boxes)
    save("fusion/merge_scores", scores)
    save("fusion/merge_labels", labels.astype(np.int64))
    for agnostic in (True, False):
        for metric in (OverlapMetric.IOU, OverlapMetric.IOS):
            d = sv.Detections(xyxy=boxes, confidence=scores, class_id=labels, data={"index": np.arange(len(boxes))})
            d = d.with_nmm(threshold=0.6, class_agnostic=agnostic, overlap_metric=metric)
            name = f"fusion/merged_{int(agnostic)}_{metric.value.lower()}"
            save(name, np.concatenate([d.xyxy, d.confidence[:, None], d.data["index"][:, None]], 1).astype(np.float64))


formats()
clip()
coders()
anchors()
matching()
rotated()
fusion()
