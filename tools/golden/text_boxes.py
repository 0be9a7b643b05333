#!/usr/bin/env python3
"""Writes tests/golden/pipelines/text_*.npy: the boxes that PyPI's rapidocr-onnxruntime 1.4.4 makes of probability maps, and finds in
the photographs that tools/get_models fetches.

Needs rapidocr-onnxruntime 1.4.4 (with onnxruntime, opencv-python, numpy) and tools/get_models run before.

text_maps.npy        (K, H, W) uint8: probability times 255
text_maps_boxes.npy  (N, 10) float32: map, score, x y of the four corners, for pictures of 300 x 500 pixels
text_{page,text}.npy (N, 9) float32: score, corners
"""

import os

import cv2
import numpy as np
from rapidocr_onnxruntime import RapidOCR
from rapidocr_onnxruntime.utils import LoadImage

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "..", "tests", "golden", "pipelines")
MODELS = os.path.join(HERE, "..", "..", "models")
detector = RapidOCR().text_det


def boxes_of(prediction, shape):
    quads, scores = detector.postprocess_op(prediction, shape)
    rows = []
    for quad, score in zip(quads, scores):
        kept = detector.filter_tag_det_res(quad[None].astype(np.float32), shape)
        if len(kept):
            rows.append(np.concatenate([[score], kept[0].ravel()]))
    return np.array(rows, np.float32).reshape(-1, 9)


# Soft-edged bars at all angles, some faint, some thin or tiny, one with a hole.
random = np.random.default_rng(7)
height, width = 160, 224
maps, rows = [], []
for k in range(3):
    values = np.zeros((height, width), np.float32)
    for i in range(9):
        centre = (20 + 60 * (i % 3) + random.uniform(0, 40), 22 + 50 * (i // 3) + random.uniform(-4, 10))
        size = (random.uniform(8, 50), random.uniform(2, 14))
        corners = cv2.boxPoints((centre, size, float(random.uniform(-90, 90)))) * 16
        bar = np.zeros((height, width), np.uint8)
        cv2.fillConvexPoly(bar, corners.astype(np.int32), 255, cv2.LINE_AA, 4)
        values = np.maximum(values, bar * np.float32(random.uniform(0.4, 1.0)))
    if k == 2:
        cv2.rectangle(values, (150, 90), (210, 150), 255, -1)
        cv2.rectangle(values, (165, 105), (200, 140), 160, -1)
        cv2.rectangle(values, (170, 110), (190, 130), 60, -1)
    soft = cv2.GaussianBlur(values, (0, 0), 1.0 + k * 0.5)
    maps.append(np.clip(np.round(soft), 0, 255).astype(np.uint8))
    found = boxes_of((maps[-1].astype(np.float32) / np.float32(255))[None, None], (300, 500))
    rows.append(np.concatenate([np.full((len(found), 1), k, np.float32), found], 1))
    print(f"map {k}: {len(found)} boxes, scores {np.sort(found[:, 0])}")
np.save(os.path.join(OUT, "text_maps.npy"), np.stack(maps))
np.save(os.path.join(OUT, "text_maps_boxes.npy"), np.concatenate(rows).astype(np.float32))

for name in ("page", "text"):
    image = LoadImage()(os.path.join(MODELS, name + ".png"))
    detector.preprocess_op = detector.get_preprocess(max(image.shape[:2]))
    found = boxes_of(detector.infer(detector.preprocess_op(image))[0], image.shape[:2])
    assert len(found) == len(detector(image)[0])
    np.save(os.path.join(OUT, f"text_{name}.npy"), found)
    print(name, len(found), "boxes")
