"""Writes tests/golden/boxes/{iou,nms}/: overlap measures and suppression.

    python tools/golden/boxes_iou_nms.py

Needs torch, torchvision, opencv-python. What mmcv's soft_nms and mmdet's fast and matrix NMS do is written down here from their
definitions, in float64, since these packages have no wheels for current Python.
"""

import pathlib

import cv2
import numpy as np
import torch
import torchvision.ops as ops

root = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "boxes"


def save(name, array):
    path = root / f"{name}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.ascontiguousarray(array))


def random_boxes(rng, n, extent=100.0):
    corner = rng.uniform(-10, extent, (n, 2))
    return np.concatenate([corner, corner + rng.uniform(0.5, 60, (n, 2))], 1)


def clustered(rng, n, objects, extent=300.0):
    corner = rng.uniform(0, extent, (objects, 2))
    base = np.concatenate([corner, corner + rng.uniform(10, 100, (objects, 2))], 1)[np.arange(n) % objects]
    return base + rng.uniform(-0.12, 0.12, (n, 4)) * np.tile(base[:, 2:] - base[:, :2], 2)


def measures():
    rng = np.random.default_rng(11)
    a, b = random_boxes(rng, 21), random_boxes(rng, 19)
    b[:3] = a[:3]  # identical ones
    b[3] = [a[3, 2], a[3, 1], a[3, 2] + 5, a[3, 3]]  # touching
    b[4] = a[4] + [2, 2, -2, -2] if np.all(a[4, 2:] - a[4, :2] > 5) else a[4] + [-2, -2, 2, 2]  # nested
    for dtype in (np.float32, np.float64):
        x, y = torch.from_numpy(a.astype(dtype)), torch.from_numpy(b.astype(dtype))
        name = "iou/" + np.dtype(dtype).name
        save(f"{name}_a", x.numpy())
        save(f"{name}_b", y.numpy())
        for function in (ops.box_iou, ops.generalized_box_iou, ops.distance_box_iou, ops.complete_box_iou):
            save(f"{name}_{function.__name__}", function(x, y).numpy())


def area(b, plus=0.0):
    return (b[..., 2] - b[..., 0] + plus) * (b[..., 3] - b[..., 1] + plus)


def iou(a, b, plus=0.0):
    a, b = a[:, None], b[None]
    side = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]) + plus
    inter = np.prod(np.maximum(side, 0), axis=-1)
    return inter / (area(a, plus) + area(b, plus) - inter)


def mmcv_soft_nms(boxes, scores, method, threshold, sigma, least, plus):
    """mmcv's rule: >= the threshold, a box leaves when its lowered score is below `least`."""
    scores, alive, indices, values = scores.copy(), np.ones(len(scores), bool), [], []
    overlap = iou(boxes, boxes, plus)
    while alive.any():
        best = int(np.argmax(np.where(alive, scores, -np.inf)))
        alive[best] = False
        indices.append(best)
        values.append(scores[best])
        o = overlap[best]
        factor = {"naive": np.where(o >= threshold, 0.0, 1.0), "linear": np.where(o >= threshold, 1 - o, 1.0),
                  "gaussian": np.exp(-(o * o) / sigma)}[method]
        scores = np.where(alive, scores * factor, scores)
        alive &= scores >= least
    return np.array(indices), np.array(values)


def matrix_nms(boxes, scores, labels, kernel, sigma):
    order = np.argsort(-scores, kind="stable")
    same = labels[order][:, None] == labels[order][None]
    o = np.triu(iou(boxes[order], boxes[order]), 1) * np.triu(same, 1)
    own = o.max(0)[:, None]
    if kernel == "gaussian":
        decay = (np.exp(-sigma * o**2) / np.exp(-sigma * own**2)).min(0)
    else:
        decay = ((1 - o) / (1 - own)).min(0)
    lowered = scores[order] * decay
    again = np.argsort(-lowered, kind="stable")
    return order[again], lowered[again]


def suppression():
    rng = np.random.default_rng(12)
    n = 400
    boxes = clustered(rng, n, 30).astype(np.float32)
    scores = rng.permutation(n).astype(np.float32) / np.float32(n + 1) + np.float32(0.001)  # no ties
    labels = rng.integers(-2, 3, n)
    save("nms/boxes", boxes)
    save("nms/scores", scores)
    save("nms/labels", labels)
    b, s, k = torch.from_numpy(boxes), torch.from_numpy(scores), torch.from_numpy(labels)
    for threshold in (0.3, 0.5, 0.7):
        save(f"nms/nms_{int(10 * threshold)}", ops.nms(b, s, threshold).numpy())
    per_class = torch.cat([rows[ops.nms(b[rows], s[rows], 0.5)] for rows in (torch.where(k == c)[0] for c in k.unique())]).numpy()
    save("nms/batched_5", per_class[np.argsort(-scores[per_class], kind="stable")])

    whole = np.trunc(boxes)
    rects = np.concatenate([whole[:, :2], whole[:, 2:] - whole[:, :2]], 1).astype(int).tolist()
    save("nms/whole_boxes", whole)
    save("nms/opencv_nms_4", np.ravel(cv2.dnn.NMSBoxes(rects, scores.tolist(), 0.25, 0.4)).astype(np.int64))
    save("nms/opencv_nms_4_top_50", np.ravel(cv2.dnn.NMSBoxes(rects, scores.tolist(), 0.25, 0.4, top_k=50)).astype(np.int64))
    for name, method in (("linear", cv2.dnn.SOFT_NMSMETHOD_SOFTNMS_LINEAR), ("gaussian", cv2.dnn.SOFT_NMSMETHOD_SOFTNMS_GAUSSIAN)):
        values, indices = cv2.dnn.softNMSBoxes(rects, scores.tolist(), 0.05, 0.3, sigma=0.5, method=method)
        save(f"nms/opencv_soft_{name}_indices", np.ravel(indices).astype(np.int64))
        save(f"nms/opencv_soft_{name}_scores", np.ravel(values).astype(np.float32))

    wide, fine = boxes.astype(np.float64), scores.astype(np.float64)
    for method in ("naive", "linear", "gaussian"):
        for plus in (0, 1):
            indices, values = mmcv_soft_nms(wide, fine, method, 0.3, 0.5, 0.02, float(plus))
            save(f"nms/mmcv_soft_{method}_{plus}_indices", indices)
            save(f"nms/mmcv_soft_{method}_{plus}_scores", values)
    order = np.argsort(-fine, kind="stable")
    worst = np.triu(iou(wide[order], wide[order]), 1).max(0)
    save("nms/fast_5", order[worst <= 0.5])
    for kernel in ("gaussian", "linear"):
        indices, values = matrix_nms(wide, fine, labels, kernel, 2.0)
        save(f"nms/matrix_{kernel}_indices", indices)
        save(f"nms/matrix_{kernel}_scores", values)


measures()
suppression()
