"""Writes tests/golden/metrics/: semantic measures by numpy, panoptic quality by panopticapi, J and F by TrackEval.

    python tools/golden/metrics_segmentation.py [--panopticapi CHECKOUT] [--trackeval CHECKOUT]

Needs numpy, scipy, Pillow, opencv-python and pycocotools. Functions are run out of checkouts of the public repositories
cocodataset/panopticapi and JonathonLuiten/TrackEval; without them the files made by these stay as they are.
"""

import argparse
import ast
import collections
import math
import pathlib
import sys
import tempfile
import types

import cv2
import numpy as np
import pycocotools.mask as coco
import scipy.ndimage
from PIL import Image
from scipy.optimize import linear_sum_assignment

parser = argparse.ArgumentParser()
parser.add_argument("--panopticapi", type=pathlib.Path)
parser.add_argument("--trackeval", type=pathlib.Path)
args = parser.parse_args()
root = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "metrics"


def save(name, array):
    path = root / f"{name}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.ascontiguousarray(array))


def definitions(path, names, *wanted):
    """Functions and classes out of a file of a checkout, without what the file imports."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name in wanted:
            node.decorator_list = []
            exec(compile(ast.Module([node], []), str(path), "exec"), names)
    return [names[w] for w in wanted]


def smooth_labels(rng, h, w, classes, sigma=4):
    return np.argmax([scipy.ndimage.gaussian_filter(rng.normal(size=(h, w)), sigma) for _ in range(classes)], 0)


def semantic():
    rng = np.random.default_rng(1)
    classes = 7
    truth = np.stack([smooth_labels(rng, 30, 41, 5) for _ in range(4)]).astype(np.uint8)  # classes 5 and 6 are never true
    prediction = np.where(rng.random(truth.shape) < 0.7, truth, rng.integers(0, 6, truth.shape)).astype(np.uint8)  # 6 never said
    truth[rng.random(truth.shape) < 0.05] = 255
    kept = truth != 255
    m = np.bincount(truth[kept].astype(int) * classes + prediction[kept], minlength=classes**2).reshape(classes, classes)
    tp, gt, said = np.diag(m), m.sum(1), m.sum(0)
    with np.errstate(invalid="ignore"):
        accuracy, iou, dice = tp / gt, tp / (gt + said - tp), 2 * tp / (gt + said)
    frequency = gt / m.sum()
    weighted = (frequency[frequency > 0] * iou[frequency > 0]).sum()
    save("semantic/truth", truth)
    save("semantic/prediction", prediction)
    save("semantic/counts", m)
    save("semantic/classes", np.stack([accuracy, iou, dice]))
    save("semantic/means", np.array([tp.sum() / m.sum(), np.nanmean(accuracy), np.nanmean(iou), weighted, np.nanmean(dice)]))


def panoptic(checkout):
    rng = np.random.default_rng(2)
    path = checkout / "panopticapi"
    names = {"np": np, "os": __import__("os"), "Image": Image, "defaultdict": collections.defaultdict, "VOID": 0, "OFFSET": 256**3}
    definitions(path / "utils.py", names, "rgb2id", "id2rgb")
    compute, = definitions(path / "evaluation.py", names, "PQStatCat", "PQStat", "pq_compute_single_core")[2:]
    categories = {i: {"id": i, "isthing": int(i < 5)} for i in range(1, 9)}
    pictures, lists, pairs = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for k in range(8):
            truth = smooth_labels(rng, 60, 80, 14, 6)  # 0 is void
            prediction = np.where(smooth_labels(rng, 60, 80, 6, 8) == 0, smooth_labels(rng, 60, 80, 12, 6), np.roll(truth, k, 1))
            truth, prediction = truth * 1000 + (truth > 0) * 70000, prediction * 3
            category = {i: int(rng.integers(1, 8)) for i in range(14)}
            annotations = []
            for name, ids, scale in (("truth", truth, 1), ("prediction", prediction, 0)):
                segments = []
                for i in np.unique(ids)[1:]:
                    label = (i - 70000) // 1000 if scale else i // 3
                    c = category[int(label)] if scale or rng.random() < 0.8 else int(rng.integers(1, 8))
                    segments.append({"id": int(i), "category_id": c, "iscrowd": int(scale and rng.random() < 0.25),
                                     "area": int((ids == i).sum())})
                if scale and segments:
                    segments.pop(int(rng.integers(len(segments))))  # in the map but not in the list
                file = f"{name}_{k}.png"
                Image.fromarray(names["id2rgb"](ids)).save(pathlib.Path(folder) / file)
                annotations.append({"image_id": k, "file_name": file, "segments_info": segments})
                lists += [[k, 1 - scale, s["id"], s["category_id"], s["iscrowd"]] for s in segments]
            pictures.append([truth, prediction])
            pairs.append(annotations)
        stat = compute(0, pairs, folder, folder, categories)
    rows, per_category = [], None
    for thing in (None, True, False):
        mean, each = stat.pq_average(categories, thing)
        rows.append([mean["pq"], mean["sq"], mean["rq"], mean["n"]])
        per_category = per_category or each
    counted = [[stat[c].iou, stat[c].tp, stat[c].fp, stat[c].fn] for c in categories]  # category 8 has no segment
    save("panoptic/maps", np.array(pictures, np.int32))
    save("panoptic/segments", np.array(lists))
    save("panoptic/means", np.array(rows))
    save("panoptic/categories", np.array([[per_category[c][x] for x in ("pq", "sq", "rq")] for c in categories]))
    save("panoptic/counts", np.array(counted, np.float64))


def disk(radius):
    x = np.arange(-radius, radius + 1)
    return (x[:, None] ** 2 + x[None] ** 2 <= radius**2).astype(np.uint8)


def davis(checkout):
    rng = np.random.default_rng(3)
    path = checkout / "trackeval" / "metrics" / "j_and_f.py"
    numpy = types.SimpleNamespace(**{n: getattr(np, n) for n in dir(np) if not n.startswith("__") and n != "bool"}, bool=bool)
    sys.modules.setdefault("skimage", types.ModuleType("skimage"))
    sys.modules["skimage.morphology"] = types.SimpleNamespace(disk=disk)
    names = {"np": numpy, "math": math, "linear_sum_assignment": linear_sum_assignment}
    bmap, f, j, evaluate = definitions(path, names, "_seg2bmap", "_compute_f", "_compute_j", "eval_sequence")
    names["JAndF"] = types.SimpleNamespace(_seg2bmap=bmap)
    self = types.SimpleNamespace(optim_type="J", _compute_f=f, _compute_j=j)
    for k, (frames, h, w) in enumerate(((11, 40, 56), (1, 24, 24), (6, 30, 33))):
        labels = np.stack([smooth_labels(rng, h, w, 4, 5)] * frames)
        truth = np.stack([np.roll(x, 2 * t, 1) for t, x in enumerate(labels)])
        prediction = np.stack([np.roll(scipy.ndimage.shift(x, (t * 0.6, 0), order=0), 2 * t, 1) for t, x in enumerate(labels)])
        if frames > 3:
            truth[3][truth[3] == 2] = 0
            prediction[3][prediction[3] == 2] = 0  # nothing there and nothing said
            prediction[4][prediction[4] == 3] = 0
        rows = []
        for label in (1, 2, 3):
            encoded = [[[e] for e in coco.encode(np.asfortranarray((x == label).transpose(1, 2, 0).astype(np.uint8)))]
                       for x in (truth, prediction)]
            data = {"num_tracker_ids": 1, "num_gt_ids": 1, "gt_dets": encoded[0], "tracker_dets": encoded[1],
                    "num_timesteps": frames, "gt_ids": [[0]] * frames, "tracker_ids": [[0]] * frames}
            r = evaluate(self, data)
            rows.append([r[x] for x in ("J-Mean", "J-Recall", "J-Decay", "F-Mean", "F-Recall", "F-Decay", "J&F")])
        save(f"davis/truth_{k}", truth.astype(np.uint8))
        save(f"davis/prediction_{k}", prediction.astype(np.uint8))
        save(f"davis/objects_{k}", np.array(rows))


semantic()
if args.panopticapi:
    panoptic(args.panopticapi)
if args.trackeval:
    davis(args.trackeval)
