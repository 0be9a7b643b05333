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


formats()
clip()
