#!/usr/bin/env python3
"""Trains the bundled segmentation network on generated scenes and writes it as ONNX.

    cmake --preset release && cmake --build build/release --target make_scenes
    build/release/examples/make_scenes --out scenes/train --seed 1000001 --scenes 6000 --start 20 --labels
    build/release/examples/make_scenes --out scenes/valid --seed 2000001 --scenes 200 --start 20 --labels
    python tools/train/train_segmenter.py scenes/train scenes/valid examples/models/scene_segmenter.onnx

Needs torch and onnx; runs on one CPU thread (best with bfloat16 instructions) in about half an hour. Seeded: the same versions on the same machine give the same weights
(unless it is stopped and goes on from --checkpoint, which shuffles anew). The seeds below 1000000 are left to tests and demos, so no
tested scene was ever trained on.

The network is a small U-Net (Ronneberger et al. 2015) that pools with indices and unpools with them (SegNet, Badrinarayanan et al. 2017):
convolutions at strides 2, 4, 8 and 16, 2x2 max pooling between them; on the way back each step adds a max unpooling of the features (sharp:
each value returns to where the maximum was) and a transposed convolution of them (dense), and looks at the features of the way down.
Its logits have a quarter of the picture's width and height, as those of DeepLab have an eighth: it knows what is where, and leaves the
last pixels of the borders to whoever enlarges them. Inputs are red, green, blue divided by 255, (N, 3, 192, 256).
"""

import argparse
import copy
import os
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

STRIDE = 4
CLASSES = 7  # the ground and six shapes


class Block(nn.Sequential):
    def __init__(self, n_in, n_out, stride=1):
        super().__init__(nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU(inplace=True))


class Up(nn.Module):
    """Twice the size: max unpooling of n_out mixtures of the channels, plus a transposed convolution."""

    def __init__(self, n_in, n_out):
        super().__init__()
        self.mix = nn.Conv2d(n_in, n_out, 1)
        self.spread = nn.ConvTranspose2d(n_in, n_out, 2, 2)

    def forward(self, x, indices):
        return F.max_unpool2d(self.mix(x), indices, 2) + self.spread(x)


class Segmenter(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = Block(3, 16, 2)
        self.down4 = nn.Sequential(Block(16, 32), Block(32, 32))
        self.down8 = nn.Sequential(Block(32, 64), Block(64, 64))
        self.down16 = nn.Sequential(Block(64, 64), Block(64, 64))
        self.up8 = Up(64, 64)
        self.join8 = Block(128, 40)
        self.up4 = Up(40, 32)
        self.join4 = Block(64, 32)
        self.classes = nn.Conv2d(32, CLASSES, 1)

    def forward(self, image):
        x4 = self.down4(F.max_pool2d(self.stem(image), 2))
        pooled, indices4 = F.max_pool2d(x4, 2, return_indices=True)
        x8 = self.down8(pooled)
        pooled, indices8 = F.max_pool2d(x8, 2, return_indices=True)
        x = self.up8(self.down16(pooled), indices8)
        x = self.up4(self.join8(torch.cat([x, x8], 1)), indices4)
        return self.classes(self.join4(torch.cat([x, x4], 1)))


def enlarged(logits):
    return F.interpolate(logits, scale_factor=float(STRIDE), mode="bilinear", align_corners=False)


def to_input(pictures):
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float().div_(255)


def scores(model, images, labels):
    """IoU of every class over all pictures."""
    counts = np.zeros((CLASSES, CLASSES), np.int64)
    with torch.no_grad():
        for first in range(0, len(images), 25):
            found = enlarged(model(to_input(images[first : first + 25]))).argmax(1).numpy()
            truth = labels[first : first + 25].astype(np.int64)
            counts += np.bincount((truth * CLASSES + found).ravel(), minlength=CLASSES**2).reshape(CLASSES, CLASSES)
    hit = np.diag(counts)
    return hit / (counts.sum(0) + counts.sum(1) - hit)


def folded(model):
    """A copy whose batch norms are part of the convolutions before them."""
    model = copy.deepcopy(model).eval()
    for block in [m for m in model.modules() if isinstance(m, Block)]:
        block[0] = fuse_conv_bn_eval(block[0], block[1])
        block[1] = nn.Identity()
    return model


def export(model, path, height, width):
    """Writes the graph with onnx's own helpers: Conv, Relu, MaxPool with indices, MaxUnpool, ConvTranspose, Add and Concat, opset 13."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights = [], []

    def convolution(op, name, layer, source, out):
        weights.append(numpy_helper.from_array(layer.weight.detach().contiguous().numpy(), name + ".weight"))
        weights.append(numpy_helper.from_array(layer.bias.detach().numpy(), name + ".bias"))
        k, s, p = layer.kernel_size[0], layer.stride[0], layer.padding[0]
        nodes.append(
            helper.make_node(op, [source, name + ".weight", name + ".bias"], [out], name=name, kernel_shape=[k, k], strides=[s, s],
                             pads=[p] * 4))
        return out

    def block(name, layers, source):
        convolution("Conv", name + ".conv", layers[0], source, name + ".conv")
        nodes.append(helper.make_node("Relu", [name + ".conv"], [name], name=name + ".relu"))
        return name

    def chain(name, blocks, source):
        for i, layers in enumerate(blocks):
            source = block(f"{name}.{i}", layers, source)
        return source

    def pool(name, source, indices=True):
        outs = [name, name + ".indices"] if indices else [name]
        nodes.append(helper.make_node("MaxPool", [source], outs, name=name, kernel_shape=[2, 2], strides=[2, 2]))
        return outs

    def up(name, layer, source, indices):
        mixed = convolution("Conv", name + ".mix", layer.mix, source, name + ".mixed")
        nodes.append(helper.make_node("MaxUnpool", [mixed, indices], [name + ".sharp"], name=name + ".unpool", kernel_shape=[2, 2], strides=[2, 2]))
        dense = convolution("ConvTranspose", name + ".spread", layer.spread, source, name + ".dense")
        nodes.append(helper.make_node("Add", [name + ".sharp", dense], [name], name=name))
        return name

    def join(name, layers, parts):
        nodes.append(helper.make_node("Concat", parts, [name + ".parts"], name=name + ".concat", axis=1))
        return block(name, layers, name + ".parts")

    x4 = chain("down4", model.down4, pool("pool4", block("stem", model.stem, "image"), indices=False)[0])
    pooled, indices4 = pool("pool8", x4)
    x8 = chain("down8", model.down8, pooled)
    pooled, indices8 = pool("pool16", x8)
    x16 = chain("down16", model.down16, pooled)
    joined8 = join("join8", model.join8, [up("up8", model.up8, x16, indices8), x8])
    joined4 = join("join4", model.join4, [up("up4", model.up4, joined8, indices4), x4])
    convolution("Conv", "classes", model.classes, joined4, "logits")
    graph = helper.make_graph(
        nodes, "scene_segmenter",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, height, width])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", CLASSES, height // STRIDE, width // STRIDE])],
        weights)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="ocelli")
    proto.ir_version = 8
    onnx.checker.check_model(proto, full_check=True)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    onnx.save(proto, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train")
    parser.add_argument("valid")
    parser.add_argument("out")
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--checkpoint", help="written after each epoch; gone on from if it exists")
    parser.add_argument("--most-steps", type=int, default=0, help="stop early, to time a step")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    random = np.random.default_rng(args.seed)

    images, labels = (np.load(os.path.join(args.train, name + ".npy"), mmap_mode="r") for name in ("images", "labels"))
    valid = [np.load(os.path.join(args.valid, name + ".npy")) for name in ("images", "labels")]
    height, width = images.shape[1:3]

    model = Segmenter().to(memory_format=torch.channels_last)
    print(sum(p.numel() for p in model.parameters()), "parameters,", len(images), "pictures", flush=True)
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim == 1]
    optimiser = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.02}, {"params": plain, "weight_decay": 0.0}], lr=args.rate)
    steps = args.epochs * (len(images) // args.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, args.rate, total_steps=steps, pct_start=0.15)
    start, step, epochs_done = time.time(), 0, 0
    if args.checkpoint and os.path.exists(args.checkpoint):
        kept = torch.load(args.checkpoint)
        model.load_state_dict(kept["model"])
        optimiser.load_state_dict(kept["optimiser"])
        schedule.load_state_dict(kept["schedule"])
        step, epochs_done = kept["step"], kept["epochs"]
        random = np.random.default_rng([args.seed, epochs_done])
    sum_of_losses = 0.0
    for epoch in range(epochs_done, args.epochs):
        order = random.permutation(len(images))
        for first in range(0, len(order) - args.batch + 1, args.batch):
            batch, truth = [], []
            for k in order[first : first + args.batch]:
                picture, label = images[k], labels[k]
                if random.random() < 0.5:
                    picture, label = picture[:, ::-1], label[:, ::-1]
                if random.random() < 0.5:
                    picture, label = picture[::-1], label[::-1]
                batch.append(picture[:, :, random.permutation(3)])
                truth.append(label)
            x = to_input(np.stack(batch)).contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(x)
            logits = logits.float().contiguous()
            loss = F.cross_entropy(enlarged(logits), torch.from_numpy(np.stack(truth).astype(np.int64)))
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            step += 1
            sum_of_losses += loss.item()
            if step % 25 == 0:
                print(f"step {step}/{steps} loss {sum_of_losses / 25:.4f} {time.time() - start:.0f} s", flush=True)
                sum_of_losses = 0.0
            if step == args.most_steps:
                return

        model.eval()
        iou = scores(model, *valid)
        print(f"epoch {epoch + 1}: mIoU {iou.mean():.4f}", " ".join(f"{v:.3f}" for v in iou), flush=True)
        export(folded(model), args.out, height, width)
        model.train()
        if args.checkpoint:
            torch.save({"model": model.state_dict(), "optimiser": optimiser.state_dict(), "schedule": schedule.state_dict(),
                        "step": step, "epochs": epoch + 1}, args.checkpoint)


if __name__ == "__main__":
    main()
