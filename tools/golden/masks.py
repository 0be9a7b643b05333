"""Writes tests/golden/masks/: what pycocotools, OpenCV, SciPy, torch, torchvision and detectron2 say of masks.

    python tools/golden/masks.py [--detectron2 CHECKOUT] [--boundary-iou CHECKOUT]

Needs numpy, pycocotools, opencv-python, scipy, torch and torchvision. Two functions are run from checkouts of their public repositories
(facebookresearch/detectron2 and bowenc0221/boundary-iou-api); without them the files made by these stay as they are.
"""

import argparse
import pathlib
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


rle()
