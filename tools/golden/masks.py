"""Writes tests/golden/masks/: what pycocotools, OpenCV, SciPy, torch, torchvision, detectron2 and others say of masks.

    python tools/golden/masks.py [--detectron2 CHECKOUT] [--boundary-iou CHECKOUT] [--trackeval CHECKOUT]

Needs numpy, pycocotools, opencv-python, scipy, torch and torchvision. Some functions are run out of checkouts of their public
repositories (facebookresearch/detectron2, bowenc0221/boundary-iou-api, JonathonLuiten/TrackEval); without them the files made by these stay
as they are.
"""

import argparse
import ast
import math
import pathlib
import sys
import types

import cv2
import numpy as np
import pycocotools.mask as coco
import scipy.ndimage
import scipy.spatial.distance
import torch
import torchvision

parser = argparse.ArgumentParser()
parser.add_argument("--detectron2", type=pathlib.Path)
parser.add_argument("--boundary-iou", type=pathlib.Path)
parser.add_argument("--trackeval", type=pathlib.Path)
args = parser.parse_args()
root = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "masks"


def save(name, array):
    path = root / f"{name}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.ascontiguousarray(array))


def texts(name, strings):
    """Strings as bytes, one to a line."""
    save(name, np.frombuffer(b"".join(s + b"\n" for s in strings), np.uint8))


def blobs(rng, n, h, w):
    """Smooth shapes, some with holes, some cut off by the border; the first two empty and full."""
    noise = rng.normal(size=(n, h, w))
    smooth = np.stack([scipy.ndimage.gaussian_filter(x, s) for x, s in zip(noise, rng.uniform(0.5, 6, n))])
    out = (smooth > np.quantile(smooth, rng.uniform(0.3, 0.95, n), axis=(1, 2))[0, :, None, None]).astype(np.uint8)
    out[0], out[1] = 0, 1
    return out


def fortran(masks):
    return np.asfortranarray(masks.transpose(1, 2, 0))


def rle():
    rng = np.random.default_rng(1)
    for k, (n, h, w) in enumerate(((20, 37, 53), (12, 64, 128), (6, 5, 200), (4, 90, 1))):
        masks = blobs(rng, n, h, w)
        if k == 0:
            masks[-1] = rng.integers(0, 2, (h, w))  # noise: as many runs as there can be
        save(f"rle/masks_{k}", masks)
        encoded = coco.encode(fortran(masks))
        texts(f"rle/strings_{k}", [e["counts"] for e in encoded])
        save(f"rle/areas_{k}", coco.area(encoded).astype(np.int64))
        boxes = np.asarray(coco.toBbox(encoded))
        boxes[:, 2:] += boxes[:, :2]
        save(f"rle/boxes_{k}", boxes)
        crowd = rng.integers(0, 2, n)
        save(f"rle/crowd_{k}", crowd.astype(np.uint8))
        save(f"rle/iou_{k}", coco.iou(encoded, encoded, np.zeros(n, np.uint8)))
        save(f"rle/iou_crowd_{k}", coco.iou(encoded, encoded, crowd.astype(np.uint8)))
        texts(f"rle/merged_{k}", [coco.merge([encoded[i], encoded[(i + 3) % n], encoded[(i + 1) % n]], intersect=bool(i % 2))["counts"]
                                  for i in range(n)])

    points, sizes, results = [], [], []
    h, w = 41, 59
    for i in range(150):
        k = int(rng.integers(3, 12))
        if i % 5 == 0:
            angle = np.sort(rng.uniform(0, 2 * np.pi, k))
            p = np.stack([30 + 25 * np.cos(angle), 20 + 18 * np.sin(angle)], 1)
        elif i % 5 == 1:
            p = rng.uniform(-30, 90, (k, 2))  # out of the picture, across itself
        elif i % 5 == 2:
            p = np.round(rng.uniform(0, 60, (k, 2)))
        elif i % 5 == 3:
            p = np.round(rng.uniform(-5, 62, (k, 2)) * 2) / 2
        else:
            p = rng.uniform(0, 60, (k, 2))
        if i == 7:
            p = np.array([[3.0, 3], [3, 3], [3, 3]])
        points.append(p)
        sizes.append(len(p))
        results.append(coco.frPyObjects([p.ravel().tolist()], h, w)[0]["counts"])
    save("rle/polygon_points", np.concatenate(points))
    save("rle/polygon_sizes", np.array(sizes))
    texts("rle/polygon_strings", results)
    xywh = np.concatenate([rng.uniform(-10, 50, (40, 2)), rng.uniform(0, 40, (40, 2))], 1)
    xywh[20:] = np.round(xywh[20:])
    save("rle/box_boxes", np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], 1))
    texts("rle/box_strings", [e["counts"] for e in coco.frPyObjects(xywh, h, w)])


def overlaps():
    rng = np.random.default_rng(2)
    a, b = blobs(rng, 9, 30, 47), blobs(rng, 7, 30, 47)
    save("iou/a", a)
    save("iou/b", b)
    x, y = torch.from_numpy(a).flatten(1).double(), torch.from_numpy(b).flatten(1).double()
    both = x @ y.T
    total = x.sum(1)[:, None] + y.sum(1)[None]
    save("iou/iou", torch.nan_to_num(both / (total - both)).numpy())
    save("iou/dice", torch.nan_to_num(2 * both / total).numpy())
    save("boxes/boxes", torchvision.ops.masks_to_boxes(torch.from_numpy(a)).numpy())


def components():
    rng = np.random.default_rng(3)
    for k, (h, w, keep) in enumerate(((40, 61, 0.5), (50, 50, 0.35), (23, 64, 0.8))):
        mask = (scipy.ndimage.gaussian_filter(rng.random((h, w)), 0.4 + 0.4 * k) > 0.5).astype(np.uint8)
        if k == 1:
            mask = (rng.random((h, w)) < 0.5).astype(np.uint8)
        save(f"components/mask_{k}", mask)
        for name, structure, number in (("four", None, 4), ("eight", np.ones((3, 3)), 8)):
            labels, n = scipy.ndimage.label(mask, structure)
            save(f"components/{name}_{k}", labels.astype(np.int32))
            count, other, stats, centroids = cv2.connectedComponentsWithStats(mask, connectivity=number)
            assert count == n + 1
            # OpenCV's rows in SciPy's order, without the background: x y w h area, cx cy.
            first = [other[labels == i][0] for i in range(1, n + 1)]
            save(f"components/{name}_stats_{k}", np.concatenate([stats, centroids], 1)[first].astype(np.float64))


def contours():
    rng = np.random.default_rng(4)
    shapes = [blobs(rng, 6, 33, 40)[k] for k in range(6)]
    shapes.append(rng.integers(0, 2, (30, 31)).astype(np.uint8))
    lines = np.zeros((20, 24), np.uint8)
    lines[2, 3:20], lines[4:18, 5], lines[9, 9], lines[12:17, 12:17], lines[14, 14] = 1, 1, 1, 1, 0
    shapes.append(lines)
    for k, mask in enumerate(shapes):
        save(f"contours/mask_{k}", mask)
        for name, method in (("all", cv2.CHAIN_APPROX_NONE), ("corners", cv2.CHAIN_APPROX_SIMPLE)):
            found, tree = cv2.findContours(mask, cv2.RETR_TREE, method)
            tree = np.zeros((0, 4), int) if tree is None else tree[0]
            depth = []
            for i in range(len(found)):
                d, j = 0, tree[i][3]
                while j >= 0:
                    d, j = d + 1, tree[j][3]
                depth.append(d)
            # One row a contour in the order of our scan, by its first point's row and column: number of points, hole, then the points.
            rows = sorted(range(len(found)), key=lambda i: (found[i][0, 0, 1], found[i][0, 0, 0], depth[i] % 2))
            save(f"contours/{name}_sizes_{k}", np.array([[len(found[i]), depth[i] % 2] for i in rows], np.int64).reshape(-1, 2))
            save(f"contours/{name}_points_{k}", np.concatenate([found[i][:, 0] for i in rows] or [np.zeros((0, 2))]).astype(np.int64))
    points, rectangles = [], []
    for k in range(30):
        p = rng.normal(size=(int(rng.integers(3, 40)), 2)) * rng.uniform(1, 30, 2)
        p = (p @ np.array([[np.cos(k), -np.sin(k)], [np.sin(k), np.cos(k)]])).astype(np.float32)
        points.append(p)
        centre, size, _ = cv2.minAreaRect(p)
        rectangles.append([*centre, max(size), min(size)])
    save("contours/rect_sizes", np.array([len(p) for p in points]))
    save("contours/rect_points", np.concatenate(points).astype(np.float64))
    save("contours/rects", np.array(rectangles))


def distances():
    rng = np.random.default_rng(5)
    for k, (h, w) in enumerate(((40, 57), (64, 3), (1, 50), (37, 64))):
        mask = (scipy.ndimage.gaussian_filter(rng.random((h, w)), 0.7) > 0.42).astype(np.uint8)
        mask[rng.integers(h), rng.integers(w)] = 0
        save(f"distance/mask_{k}", mask)
        save(f"distance/euclidean_{k}", scipy.ndimage.distance_transform_edt(mask))
        save(f"distance/city_block_{k}", scipy.ndimage.distance_transform_cdt(mask, "taxicab").astype(np.float64))
        save(f"distance/chessboard_{k}", scipy.ndimage.distance_transform_cdt(mask, "chessboard").astype(np.float64))
    a, b = rng.normal(size=(80, 3)), rng.normal(size=(50, 3)) * 1.3
    save("distance/points_a", a)
    save("distance/points_b", b)
    directed = scipy.spatial.distance.directed_hausdorff
    save("distance/hausdorff", np.array([max(directed(a, b)[0], directed(b, a)[0])]))
    # Masks as MONAI and torchmetrics compare them: edges by erosion, distances to the other's edges.
    pairs = blobs(rng, 12, 31, 44)[2:]
    rows = []
    for x, y in zip(pairs[:-1], pairs[1:]):
        edges = [m.astype(bool) ^ scipy.ndimage.binary_erosion(m) for m in (x, y)]
        far = [scipy.ndimage.distance_transform_edt(~edges[1])[edges[0]], scipy.ndimage.distance_transform_edt(~edges[0])[edges[1]]]
        rows.append([max(f.max() for f in far), max(np.percentile(f, 95) for f in far)])
    save("distance/hausdorff_masks", pairs)
    save("distance/hausdorff_edges", np.array(rows))


def function_of(path, name, names):
    """One function out of a file of a checkout, without what the file imports."""
    tree = ast.parse(path.read_text())
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == name]
    found[0].decorator_list = []
    exec(compile(ast.Module(found, []), str(path), "exec"), names)
    return names[name]


def boundaries(checkout):
    rng = np.random.default_rng(6)
    boundary = function_of(checkout / "boundary_iou" / "utils" / "boundary_utils.py", "mask_to_boundary", {"cv2": cv2, "np": np})
    for k, (h, w) in enumerate(((60, 81), (7, 130), (33, 33))):
        masks = blobs(rng, 6, h, w)
        save(f"boundary/masks_{k}", masks)
        for name, ratio in (("coco", 0.02), ("wide", 0.1), ("narrow", 0.005)):
            edges = np.stack([boundary(m, ratio) for m in masks])
            save(f"boundary/{name}_{k}", edges)
            encoded = coco.encode(fortran(edges))
            save(f"boundary/{name}_iou_{k}", coco.iou(encoded, encoded, np.zeros(6, np.uint8)))


def disk(radius):
    x = np.arange(-radius, radius + 1)
    return (x[:, None] ** 2 + x[None] ** 2 <= radius**2).astype(np.uint8)


def contour_accuracy(checkout):
    rng = np.random.default_rng(7)
    path = checkout / "trackeval" / "metrics" / "j_and_f.py"
    numpy = types.SimpleNamespace(**{n: getattr(np, n) for n in dir(np) if not n.startswith("__") and n not in ("bool",)}, bool=bool)
    bmap = function_of(path, "_seg2bmap", {"np": numpy, "math": math})
    sys.modules.setdefault("skimage", types.ModuleType("skimage"))
    sys.modules["skimage.morphology"] = types.SimpleNamespace(disk=disk)
    compare = function_of(path, "_compute_f", {"np": numpy, "JAndF": types.SimpleNamespace(_seg2bmap=bmap)})
    masks = blobs(rng, 16, 70, 90)
    masks[3] = masks[2]
    save("boundary/f_masks", masks)
    for name, bound in (("davis", 0.008), ("wide", 0.03), ("pixels", 4)):
        frames = [[e] for e in coco.encode(fortran(masks))]
        f = [[compare([t], [p], 0, 0, bound)[0] for t in frames] for p in frames]
        save(f"boundary/f_{name}", np.array(f))


def detectron2(checkout):
    rng = np.random.default_rng(8)
    names = {"np": np, "torch": torch, "F": torch.nn.functional, "Boxes": object, "Tuple": tuple, "BYTES_PER_FLOAT": 4,
             "GPU_MEM_LIMIT": 2**30}
    path = checkout / "detectron2" / "layers" / "mask_ops.py"
    once = function_of(path, "_do_paste_mask", names)
    paste = function_of(path, "paste_masks_in_image", names)
    n, h, w = 14, 50, 66
    masks = torch.from_numpy(rng.random((n, 28, 28), np.float32))
    masks = torch.stack([torch.from_numpy(scipy.ndimage.gaussian_filter(m, 3)) for m in masks.numpy()])
    masks = (masks - masks.amin((1, 2), True)) / (masks.amax((1, 2), True) - masks.amin((1, 2), True))
    low = torch.from_numpy(rng.uniform(-15, 50, (n, 2)).astype(np.float32))
    boxes = torch.cat([low, low + torch.from_numpy(rng.uniform(1, 60, (n, 2)).astype(np.float32))], 1)
    boxes[1] = boxes[1].round()
    save("paste/masks", masks.numpy())
    save("paste/boxes", boxes.numpy())
    save("paste/pasted", paste(masks, boxes, (h, w)).numpy().astype(np.uint8))
    soft = torch.zeros(n, h, w)
    for i in range(n):
        part, where = once(masks[i:i + 1, None], boxes[i:i + 1], h, w)
        soft[(slice(i, i + 1), *where)] = part
    save("paste/soft", soft.numpy())

    merge = function_of(checkout / "detectron2" / "modeling" / "meta_arch" / "panoptic_fpn.py", "combine_semantic_and_instance_outputs",
                        {"torch": torch})
    for k, (overlap, area, score) in enumerate(((0.5, 60, 0.5), (0.2, 10, 0.1), (0.9, 300, 0.7))):
        masks = torch.from_numpy(blobs(rng, 9, 40, 52))
        scores = torch.from_numpy(rng.permutation(9).astype(np.float32) / 9 + 0.05)
        classes = torch.from_numpy(rng.integers(0, 5, 9))
        semantic = torch.from_numpy(np.digitize(scipy.ndimage.gaussian_filter(rng.normal(size=(40, 52)), 5) * 10, (-1.5, -0.5, 0.5, 1.5)))
        results = types.SimpleNamespace(scores=scores, pred_masks=masks, pred_classes=classes)
        ids, segments = merge(results, semantic, overlap, area, score)
        rows = [[s["id"], s["category_id"], s["isthing"], s.get("instance_id", -1), int((ids == s["id"]).sum())] for s in segments]
        for name, value in (("masks", masks), ("scores", scores), ("classes", classes), ("semantic", semantic), ("ids", ids)):
            save(f"panoptic/{name}_{k}", value.numpy())
        save(f"panoptic/segments_{k}", np.array(rows, np.int64))
        save(f"panoptic/options_{k}", np.array([overlap, area, score]))


rle()
overlaps()
components()
contours()
distances()
if args.boundary_iou:
    boundaries(args.boundary_iou)
if args.trackeval:
    contour_accuracy(args.trackeval)
if args.detectron2:
    detectron2(args.detectron2)
