#!/usr/bin/env python3
"""Trains the bundled detector on generated scenes and writes it as ONNX.

    cmake --preset release && cmake --build build/release --target make_scenes
    build/release/examples/make_scenes --out scenes/train --seed 1000001 --scenes 6000 --start 20
    build/release/examples/make_scenes --out scenes/valid --seed 2000001 --scenes 200 --start 20
    python tools/train/train_detector.py scenes/train scenes/valid examples/models/scene_detector.onnx

Needs torch, torchvision (NMS for the validation figures) and onnx; runs on one CPU thread in about half an hour. Seeded: the same
versions on the same machine give the same weights. The seeds below 1000000 are left to tests and demos, so no tested scene was
ever trained on.

The network: a 3x3 convolutional trunk to stride 8 with a side branch at stride 16, then for each point of the 8-pixel grid one
logit per class and four distances to the box's sides, as logarithms of multiples of the stride (FCOS, Tian et al. 2019).
Inputs are red, green, blue divided by 255, (N, 3, 192, 256). Outputs are raw: decoding and NMS belong to the library.
"""

import argparse
import copy
import json
import os
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

STRIDE = 8
HARD = 0.25  # objects less visible than this neither reward nor punish


class Block(nn.Sequential):
    def __init__(self, n_in, n_out, stride=1):
        super().__init__(nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU(inplace=True))


class Detector(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.stem = nn.Sequential(Block(3, 16, 2), Block(16, 32, 2), Block(32, 48, 2))
        self.fine = nn.Sequential(Block(48, 64), Block(64, 64))
        self.coarse = nn.Sequential(Block(64, 64, 2), Block(64, 64), Block(64, 64))
        self.head = Block(64, 64)
        self.classes = nn.Conv2d(64, classes, 1)
        self.sides = nn.Conv2d(64, 4, 1)
        nn.init.constant_(self.classes.bias, -4.0)  # rare positives (Lin et al. 2017, focal loss)
        nn.init.normal_(self.classes.weight, std=0.01)
        nn.init.normal_(self.sides.weight, std=0.01)

    def forward(self, image):
        fine = self.fine(self.stem(image))
        coarse = self.coarse(fine)
        x = self.head(fine + F.interpolate(coarse, scale_factor=2.0, mode="nearest"))
        return self.classes(x), self.sides(x)


def load(folder):
    images = np.load(os.path.join(folder, "images.npy"))
    with open(os.path.join(folder, "annotations.json")) as f:
        coco = json.load(f)
    boxes = [[] for _ in images]
    for a in coco["annotations"]:
        x, y, w, h = a["bbox"]
        boxes[a["image_id"]].append([x, y, x + w, y + h, a["category_id"], a["visibility"]])
    boxes = [np.asarray(b, np.float32).reshape(-1, 6) for b in boxes]
    return images, boxes, [c["name"] for c in coco["categories"]]


def grid_points(height, width):
    y, x = np.mgrid[0 : height // STRIDE, 0 : width // STRIDE].astype(np.float32)
    return (x + 0.5) * STRIDE, (y + 0.5) * STRIDE


def assign(boxes, height, width):
    """Class of each grid point (-1 nothing, -2 do not care) and its box: points near a box's centre belong to it, to the smallest
    where several compete."""
    px, py = grid_points(height, width)
    label = np.full(px.shape, -1, np.int64)
    target = np.zeros(px.shape + (4,), np.float32)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    for i in np.argsort(-area, kind="stable"):
        x1, y1, x2, y2, c, seen = boxes[i]
        cx, cy = (x1 + x2) / 2, (y1 + y2) / 2
        near = (np.abs(px - cx) <= 1.2 * STRIDE) & (np.abs(py - cy) <= 1.2 * STRIDE)
        own = near & (px > x1) & (px < x2) & (py > y1) & (py < y2)
        row, column = min(int(cy) // STRIDE, px.shape[0] - 1), min(int(cx) // STRIDE, px.shape[1] - 1)
        own[row, column] = True
        if seen < HARD:
            label[own] = -2
            continue
        # The ring around small positives is neither: their points see nearly the same picture.
        inside = (px > x1) & (px < x2) & (py > y1) & (py < y2) & near & ~own & (label == -1)
        label[inside] = -2
        label[own] = int(c)
        target[own] = boxes[i, :4]
    return label, target


def decode(sides, px, py):
    d = torch.exp(sides) * STRIDE
    return torch.stack([px - d[:, 0], py - d[:, 1], px + d[:, 2], py + d[:, 3]], -1)


def giou_loss(a, b):
    top, bottom = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    inter = (bottom - top).clamp(min=0).prod(1)
    union = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - inter
    hull = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(1)
    return 1 - inter / union + (hull - union) / hull


def loss_of(model, images, labels, targets, px, py):
    logits, sides = model(images)
    logits = logits.permute(0, 2, 3, 1)
    boxes = decode(sides, px, py)
    positive = labels >= 0
    count = positive.sum().clamp(min=1)
    wanted = torch.zeros_like(logits)
    wanted[positive] = F.one_hot(labels[positive], logits.shape[-1]).to(logits.dtype)
    p = torch.sigmoid(logits)
    wrong = torch.abs(wanted - p)
    focal = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none") * wrong**2 * (0.25 + 0.5 * wanted)
    class_loss = (focal * (labels != -2).unsqueeze(-1)).sum() / count
    box_loss = giou_loss(boxes[positive], targets[positive]).sum() / count
    return class_loss * 2 + box_loss, box_loss


def detect(model, images, px, py, threshold=0.05):
    import torchvision

    found = []
    with torch.no_grad():
        for first in range(0, len(images), 50):
            logits, sides = model(torch.from_numpy(images[first : first + 50]).permute(0, 3, 1, 2).float() / 255)
            boxes = decode(sides, px, py)
            scores = torch.sigmoid(logits).permute(0, 2, 3, 1)
            for k in range(len(logits)):
                at = (scores[k] > threshold).nonzero()
                b, s, c = boxes[k][at[:, 0], at[:, 1]], scores[k][at[:, 0], at[:, 1], at[:, 2]], at[:, 2]
                keep = torchvision.ops.batched_nms(b, s, c, 0.5)
                found.append((b[keep].numpy(), s[keep].numpy(), c[keep].numpy()))
    return found


def average_precision(found, truth, classes, threshold=0.5):
    """VOC's every-point AP; objects hardly visible are ignored."""
    result = []
    for c in range(classes):
        rows = sorted(((s, k, b) for k, f in enumerate(found) for b, s, l in zip(*f) if l == c), key=lambda r: -r[0])
        own = [t[t[:, 4] == c] for t in truth]
        total = sum((t[:, 5] >= HARD).sum() for t in own)
        used = [np.zeros(len(t), bool) for t in own]
        hit = []
        for _, k, b in rows:
            t = own[k]
            if len(t) == 0:
                hit.append(0)
                continue
            inter = np.clip(np.minimum(b[2:], t[:, 2:4]) - np.maximum(b[:2], t[:, :2]), 0, None).prod(1)
            iou = inter / ((b[2:] - b[:2]).prod() + (t[:, 2:4] - t[:, :2]).prod(1) - inter)
            best = int(iou.argmax())
            if iou[best] >= threshold:
                if t[best, 5] < HARD:
                    continue
                hit.append(0 if used[k][best] else 1)
                used[k][best] = True
            else:
                hit.append(0)
        hit = np.asarray(hit)
        tp = np.cumsum(hit)
        precision = tp / np.arange(1, len(hit) + 1)
        recall = np.concatenate([[0], tp / max(total, 1)])
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        result.append(float(((recall[1:] - recall[:-1]) * envelope).sum()))
    return result


def folded(model):
    """A copy whose batch norms are part of the convolutions before them."""
    model = copy.deepcopy(model).eval()
    for block in [m for m in model.modules() if isinstance(m, Block)]:
        block[0] = fuse_conv_bn_eval(block[0], block[1])
        block[1] = nn.Identity()
    return model


def export(model, path, height, width):
    """Writes the graph with onnx's own helpers: plain Conv, Relu, Resize and Add, opset 13."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights = [], []

    def conv(name, layer, source, relu=True):
        weights.append(numpy_helper.from_array(layer.weight.detach().numpy(), name + ".weight"))
        weights.append(numpy_helper.from_array(layer.bias.detach().numpy(), name + ".bias"))
        k, s = layer.kernel_size[0], layer.stride[0]
        out = name + ".conv" if relu else name
        nodes.append(
            helper.make_node("Conv", [source, name + ".weight", name + ".bias"], [out], name=name + ".conv",
                             kernel_shape=[k, k], strides=[s, s], pads=[k // 2] * 4))
        if relu:
            nodes.append(helper.make_node("Relu", [out], [name], name=name + ".relu"))
        return name

    def chain(name, blocks, source):
        for i, block in enumerate(blocks):
            source = conv(f"{name}.{i}", block[0], source)
        return source

    fine = chain("fine", model.fine, chain("stem", model.stem, "image"))
    coarse = chain("coarse", model.coarse, fine)
    weights.append(numpy_helper.from_array(np.asarray([1, 1, 2, 2], np.float32), "twice"))
    nodes.append(
        helper.make_node("Resize", [coarse, "", "twice"], ["up"], name="up", mode="nearest",
                         coordinate_transformation_mode="asymmetric", nearest_mode="floor"))
    nodes.append(helper.make_node("Add", [fine, "up"], ["sum"], name="sum"))
    head = conv("head", model.head[0], "sum")
    conv("logits", model.classes, head, relu=False)
    conv("sides", model.sides, head, relu=False)
    h, w = height // STRIDE, width // STRIDE
    classes = model.classes.out_channels
    graph = helper.make_graph(
        nodes, "scene_detector",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, height, width])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", classes, h, w]),
         helper.make_tensor_value_info("sides", TensorProto.FLOAT, ["N", 4, h, w])],
        weights)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="ocelli")
    proto.ir_version = 8
    onnx.checker.check_model(proto)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    onnx.save(proto, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train")
    parser.add_argument("valid")
    parser.add_argument("out")
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most-steps", type=int, default=0, help="stop early, to time a step")
    args = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    random = np.random.default_rng(args.seed)

    images, boxes, names = load(args.train)
    height, width = images.shape[1:3]
    points = grid_points(height, width)
    px, py = torch.from_numpy(points[0]), torch.from_numpy(points[1])

    model = Detector(len(names)).to(memory_format=torch.channels_last)
    print(sum(p.numel() for p in model.parameters()), "parameters,", len(images), "pictures", flush=True)
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim == 1]
    optimiser = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.02}, {"params": plain, "weight_decay": 0.0}], lr=args.rate)
    steps = args.epochs * (len(images) // args.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, args.rate, total_steps=steps, pct_start=0.15)
    start, step, kept, kept_box = time.time(), 0, 0.0, 0.0
    for epoch in range(args.epochs):
        order = random.permutation(len(images))
        for first in range(0, len(order) - args.batch + 1, args.batch):
            batch, labels, targets = [], [], []
            for k in order[first : first + args.batch]:
                picture, b = images[k], boxes[k].copy()
                if random.random() < 0.5:
                    picture = picture[:, ::-1]
                    b[:, [0, 2]] = width - b[:, [2, 0]]
                if random.random() < 0.5:
                    picture = picture[::-1]
                    b[:, [1, 3]] = height - b[:, [3, 1]]
                picture = picture[:, :, random.permutation(3)]
                label, target = assign(b, height, width)
                batch.append(np.ascontiguousarray(picture))
                labels.append(label)
                targets.append(target)
            x = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2).float().div_(255).contiguous(memory_format=torch.channels_last)
            loss, box_loss = loss_of(model, x, torch.from_numpy(np.stack(labels)), torch.from_numpy(np.stack(targets)), px, py)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            step += 1
            kept, kept_box = kept + loss.item(), kept_box + box_loss.item()
            if step % 50 == 0:
                print(f"step {step}/{steps} loss {kept / 50:.4f} box {kept_box / 50:.4f} {time.time() - start:.0f} s", flush=True)
                kept = kept_box = 0.0
            if step == args.most_steps:
                return

        model.eval()
        valid_images, valid_boxes, _ = load(args.valid)
        ap = average_precision(detect(model, valid_images, px, py), valid_boxes, len(names))
        print(f"epoch {epoch + 1}: AP@0.5 {np.mean(ap):.4f}", " ".join(f"{n} {v:.3f}" for n, v in zip(names, ap)), flush=True)
        export(folded(model), args.out, height, width)
        model.train()


if __name__ == "__main__":
    main()
