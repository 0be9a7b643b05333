"""Runs whole networks of torchvision through Ocelli and measures their error against float64, beside PyTorch's own in float32.

    python tools/networks.py BUILD_FOLDER [--folder FOLDER] [--exporters script dynamo] [--inputs 5] [--threads 2] [names ...]

BUILD_FOLDER holds examples/run_onnx; FOLDER keeps the exported models. Needs torch, torchvision, onnx and onnxscript. Prints one row a network
and exporter as a Markdown table and ends with 1 if a row misses its rule.

Weights are PyTorch's own initialisation after torch.manual_seed(0), then made lively on two random images: every convolution and linear layer
is scaled as it is called so that its output has deviation 1, batch norms take the statistics of what reaches them, layer scales (1e-6 in
ConvNeXt) become 0.3, and weights that start at zero (classifiers, position tables) are drawn with deviation 0.02. A network fails if an
output of a layer is then constant or above 1e4 anywhere.

Rule for every output in front of a discrete step: err = max |y - y64| / max |y64|, the worst output counts, y64 being PyTorch's run of the same
network in float64; the mean over the inputs is at most four times that of PyTorch's float32 on one thread. raft_small makes its
coordinates in float64 for that run.

Rule for the detectors' whole exports (their own NMS, RoIAlign, dynamic extents): their class scores are biased so that each image has 20 to 300
boxes of at least five classes, no two of one score (asserted; sigmoids that saturate are drawn together first). The tensors in front of the selection (the heads' raw outputs; with two stages the region proposals' and
the feature maps) are held to the rule above. From there on the model is fed PyTorch's own float32 tensors and must return its boxes (within 0.01
pixel), labels, scores (1e-4) and masks (1e-3), in its order. The whole export, from the image, must find as many boxes as PyTorch in float32 or in
float64, which differ where a score lies at the threshold.
"""

import argparse
import inspect
import math
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")
warnings.simplefilter("ignore")

import numpy as np
import onnx
import torch
import torchvision
from torch import nn

models = torchvision.models


def pair(a, b):
    return nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(), nn.Conv2d(b, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU())


class UNet(nn.Module):
    """Ronneberger et al. 2015, with padding, a quarter of the channels."""

    def __init__(self, widths=(16, 32, 64, 128, 256), classes=21):
        super().__init__()
        self.down = nn.ModuleList(pair(a, b) for a, b in zip((3,) + widths, widths))
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * a, a, 2, 2) for a in widths[-2::-1])
        self.merge = nn.ModuleList(pair(2 * a, a) for a in widths[-2::-1])
        self.last = nn.Conv2d(widths[0], classes, 1)

    def forward(self, x):
        kept = []
        for i, down in enumerate(self.down):
            x = down(x if i == 0 else nn.functional.max_pool2d(x, 2))
            kept.append(x)
        for up, merge, skip in zip(self.up, self.merge, kept[-2::-1]):
            x = merge(torch.cat([skip, up(x)], 1))
        return self.last(x)


class Unpool(torch.autograd.Function):
    """max_unpool2d by 2, which the TorchScript exporter cannot write: ONNX counts the indices over the whole tensor, PyTorch within a map."""

    @staticmethod
    def forward(ctx, x, indices):
        return torch.ops.aten.max_unpool2d(x, indices, [2 * int(x.shape[2]), 2 * int(x.shape[3])])

    @staticmethod
    def symbolic(g, x, indices):
        n, c, h, w = x.type().sizes()
        first = (torch.arange(n * c) * (4 * h * w)).reshape(n, c, 1, 1)
        y = g.op("MaxUnpool", x, g.op("Add", indices, g.op("Constant", value_t=first)), kernel_shape_i=[2, 2], strides_i=[2, 2])
        y.setType(x.type().with_sizes([n, c, 2 * h, 2 * w]))
        return y


def unpooled(x, indices):
    return Unpool.apply(x, indices) if torch.jit.is_tracing() else nn.functional.max_unpool2d(x, indices, 2)


class SegNet(nn.Module):
    """Badrinarayanan et al. 2015: pooling keeps its indices, the decoder unpools with them. A quarter of the channels."""

    def __init__(self, widths=(16, 32, 64, 128), classes=12):
        super().__init__()
        self.down = nn.ModuleList(pair(a, b) for a, b in zip((3,) + widths, widths))
        self.up = nn.ModuleList(pair(a, b) for a, b in zip(widths[::-1], widths[-2::-1] + (widths[0],)))
        self.last = nn.Conv2d(widths[0], classes, 3, padding=1)

    def forward(self, x):
        kept = []
        for down in self.down:
            x = down(x)
            x, indices = nn.functional.max_pool2d(x, 2, return_indices=True)
            kept.append(indices)
        for up, indices in zip(self.up, kept[::-1]):
            x = up(unpooled(x, indices))
        return self.last(x)


class Generator(nn.Module):
    """Radford et al. 2016: 100 x 1 x 1 -> 3 x 64 x 64 by transposed convolutions."""

    def __init__(self, widths=(512, 256, 128, 64)):
        super().__init__()
        layers = [nn.ConvTranspose2d(100, widths[0], 4), nn.BatchNorm2d(widths[0]), nn.ReLU()]
        for a, b in zip(widths, widths[1:]):
            layers += [nn.ConvTranspose2d(a, b, 4, 2, 1), nn.BatchNorm2d(b), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(widths[-1], 3, 4, 2, 1), nn.Tanh())

    def forward(self, x):
        return self.layers(x)


class Detr(nn.Module):
    """Carion et al. 2020: a ResNet-18's last map, a transformer encoder and decoder with learned queries, classes and boxes."""

    def __init__(self, width=128, queries=50, classes=91):
        super().__init__()
        body = models.resnet18(weights=None)
        self.body = nn.Sequential(*list(body.children())[:-2])
        self.narrow = nn.Conv2d(512, width, 1)
        self.transformer = nn.Transformer(width, 8, 3, 3, 512, dropout=0.0)
        self.queries = nn.Parameter(torch.rand(queries, width))
        self.rows, self.columns = nn.Parameter(torch.rand(50, width // 2)), nn.Parameter(torch.rand(50, width // 2))
        self.classes, self.boxes = nn.Linear(width, classes + 1), nn.Linear(width, 4)

    def forward(self, x):
        h = self.narrow(self.body(x))
        rows, columns = h.shape[-2:]
        at = torch.cat([self.columns[:columns].unsqueeze(0).repeat(rows, 1, 1), self.rows[:rows].unsqueeze(1).repeat(1, columns, 1)], -1)
        h = self.transformer(at.flatten(0, 1).unsqueeze(1) + 0.1 * h.flatten(2).permute(2, 0, 1), self.queries.unsqueeze(1))
        return self.classes(h), self.boxes(h).sigmoid()


class Picked(nn.Module):
    def __init__(self, body, pick):
        super().__init__()
        self.body, self.pick = body, pick

    def forward(self, *x):
        return self.pick(self.body, *x)


def plain(make, **options):
    return lambda: make(weights=None, **options)


def segmented(make):
    return lambda: Picked(make(weights=None, weights_backbone=None, num_classes=21), lambda m, x: m(x)["out"])


def googlenet(make):
    return lambda: make(weights=None, aux_logits=False, init_weights=True)


def flow():
    return Picked(models.optical_flow.raft_small(weights=None), lambda m, a, b: m(a, b, num_flow_updates=4)[-1])


image = [(1, 3, 224, 224)]
networks = {  # name: maker, input shapes
    "alexnet": (plain(models.alexnet), image),
    "vgg16": (plain(models.vgg16), image),
    "resnet50": (plain(models.resnet50), image),
    "resnext50": (plain(models.resnext50_32x4d), image),
    "googlenet": (googlenet(models.googlenet), image),
    "inception_v3": (googlenet(models.inception_v3), [(1, 3, 299, 299)]),
    "densenet121": (plain(models.densenet121), image),
    "mobilenet_v2": (plain(models.mobilenet_v2), image),
    "mobilenet_v3_large": (plain(models.mobilenet_v3_large), image),
    "shufflenet_v2": (plain(models.shufflenet_v2_x1_0), image),
    "efficientnet_b0": (plain(models.efficientnet_b0), image),
    "regnet_y_400mf": (plain(models.regnet_y_400mf), image),
    "convnext_tiny": (plain(models.convnext_tiny), image),
    "vit_b_16": (plain(models.vit_b_16), image),
    "swin_t": (plain(models.swin_t), image),
    "fcn_resnet50": (segmented(models.segmentation.fcn_resnet50), [(1, 3, 200, 264)]),
    "deeplabv3_resnet50": (segmented(models.segmentation.deeplabv3_resnet50), [(1, 3, 200, 264)]),
    "lraspp": (segmented(models.segmentation.lraspp_mobilenet_v3_large), [(1, 3, 200, 264)]),
    "raft_small": (flow, [(1, 3, 128, 160)] * 2),
    "r3d_18": (plain(models.video.r3d_18), [(1, 3, 8, 112, 112)]),
    "r2plus1d_18": (plain(models.video.r2plus1d_18), [(1, 3, 8, 112, 112)]),
    "unet": (UNet, [(1, 3, 160, 192)]),
    "segnet": (SegNet, [(1, 3, 160, 192)]),
    "dcgan": (Generator, [(1, 100, 1, 1)]),
    "detr": (Detr, [(1, 3, 256, 320)]),
}

layers = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d, nn.Linear)


def enliven(net, run):
    """Scales the layers and calibrates the norms of `net` while `run()` calls it (see the head of this file)."""
    for name, p in net.named_parameters():
        if name.endswith("layer_scale"):
            nn.init.constant_(p, 0.3)
        elif p.dim() > 1 and not p.any():
            nn.init.normal_(p, std=0.02)
    net.eval()
    norms = [m for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    seen, handles = set(), []

    def scale(module, _, out):
        if module not in seen:
            seen.add(module)
            deviation = out.std()
            if not 1e-6 < deviation < 1e6:  # of zeros: queries that begin at nothing
                return out
            module.weight /= deviation
            bias = 0 if module.bias is None else module.bias
            if module.bias is not None and not isinstance(module, nn.Linear):  # along the second axis
                bias = bias.reshape(-1, *[1] * (out.dim() - 2))
            out = (out - bias) / deviation + bias
        return out

    def check(module, _, out):
        if isinstance(out, torch.Tensor) and (out.abs().max() > 1e4 or (out.numel() > 64 and out.std() < 1e-6)):
            raise RuntimeError(f"not lively: {type(module).__name__} gives deviation {out.std():.2g}, largest {out.abs().max():.2g}")

    for m in net.modules():
        if isinstance(m, layers):
            handles.append(m.register_forward_hook(scale))
    for m in norms:
        m.train()
        m.momentum = None
    with torch.no_grad():
        run()
        for h in handles:
            h.remove()
        net.eval()
        handles = [m.register_forward_hook(check) for m in net.modules()]
        run()
        for h in handles:
            h.remove()


def made(name):
    torch.manual_seed(0)
    make, shapes = networks[name]
    net = make()
    generator = torch.Generator().manual_seed(0)
    batch = [torch.rand((2,) + s[1:], generator=generator) for s in shapes]
    if name == "dcgan":
        batch = [torch.randn((8,) + s[1:], generator=generator) for s in shapes]
    if name == "detr":  # its table of positions has no batch
        batch = [b[:1] for b in batch]
    enliven(net, lambda: net(*batch))
    return net.eval()


def inputs_of(name, seed):
    generator = torch.Generator().manual_seed(1000 + seed)
    draw = torch.randn if name == "dcgan" else torch.rand
    return [draw(s, generator=generator) for s in networks[name][1]]


def export(net, inputs, path, exporter):
    opset = 17 if exporter == "script" else 18
    names = [f"x{i}" for i in range(len(inputs))]
    torch.backends.mha.set_fastpath_enabled(False)  # attention's fused path has no ONNX form
    with open(os.devnull, "w") as silent:
        stdout, sys.stdout = sys.stdout, silent
        try:
            if exporter == "script":
                extra = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
                torch.onnx.export(net, tuple(inputs), path, opset_version=opset, input_names=names, **extra)
            else:
                with torch.no_grad():
                    torch.onnx.export(net, tuple(inputs), path, opset_version=opset, input_names=names, dynamo=True, external_data=True, verbose=False)
        finally:
            sys.stdout = stdout


class Double:
    """Within it torchvision's functions that name float32 for coordinates make float64."""

    def __enter__(self):
        self.kept = models.optical_flow._utils.make_coords_grid
        models.optical_flow.raft.make_coords_grid = lambda b, h, w, device="cpu": self.kept(b, h, w, device).double()
        models.optical_flow._utils.make_coords_grid = models.optical_flow.raft.make_coords_grid

    def __exit__(self, *_):
        models.optical_flow.raft.make_coords_grid = models.optical_flow._utils.make_coords_grid = self.kept


def listed(y):
    return [np.asarray(o.detach()) for o in (y if isinstance(y, (tuple, list)) else [y])]


def run_ours(program, path, feeds, threads, extra=()):
    """Every output of the model, in its order; and how long one run took in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        command = [program, path, "--threads", str(threads), "--repeat", "1", "--save", folder, *extra]
        for name, x in feeds.items():
            np.save(f"{folder}/in_{name}.npy", x)
            command += ["--input", f"{name}={folder}/in_{name}.npy"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError((done.stderr or done.stdout).strip().splitlines()[-1])
        names = [o.name for o in onnx.load(path, load_external_data=False).graph.output]
        return [np.load(f"{folder}/{re.sub('[^A-Za-z0-9_.-]', '_', n)}.npy") for n in names]


def error(ys, exact):
    return max(float(np.abs(y - e).max() / np.abs(e).max()) for y, e in zip(ys, exact, strict=True))


small = dict(weights=None, weights_backbone=None, min_size=320, max_size=448)
detectors = {  # name: maker, (module of class scores, first class that is no background), modules in front of the selection
    "ssd300_vgg16": (lambda: models.detection.ssd300_vgg16(weights=None, weights_backbone=None), "head.classification_head", 1),
    "ssdlite320": (lambda: models.detection.ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None), "head.classification_head", 1),
    "retinanet_resnet50_fpn": (lambda: models.detection.retinanet_resnet50_fpn(**small), "head.classification_head.cls_logits", 0),
    "fcos": (lambda: models.detection.fcos_resnet50_fpn(**small), "head.classification_head.cls_logits", 0),
    "fasterrcnn_resnet50_fpn": (lambda: models.detection.fasterrcnn_resnet50_fpn(**small), "roi_heads.box_predictor.cls_score", 1),
    "maskrcnn_resnet50_fpn": (lambda: models.detection.maskrcnn_resnet50_fpn(**small), "roi_heads.box_predictor.cls_score", 1),
    "keypointrcnn": (lambda: models.detection.keypointrcnn_resnet50_fpn(num_classes=8, **small), "roi_heads.box_predictor.cls_score", 1),
}


def scene(seed):
    """Soft random colours: noise alone would look the same to every anchor."""
    generator = torch.Generator().manual_seed(2000 + seed)
    draw = lambda h, w: nn.functional.interpolate(torch.rand((1, 3, h, w), generator=generator), (480, 640), mode="bilinear")[0]
    return 0.5 * draw(6, 8) + 0.3 * draw(30, 40) + 0.2 * draw(480, 640)


def scores_of(net, name):
    """The layers that end in class scores, with the number of classes of each."""
    module = dict(net.named_modules())[detectors[name][1]]
    last = [m for m in module.modules() if isinstance(m, layers)]
    if name.startswith("ssd"):  # per level: (anchors * classes); SSDlite's are pairs of a depthwise and a pointwise layer
        last = [m for m in last if m.out_channels % 91 == 0 and getattr(m, "groups", 1) == 1]
        return last, 91
    if name in ("retinanet_resnet50_fpn", "fcos"):
        return last, 91
    return last, last[0].out_features


def found(net, seeds):
    """For each image how many boxes there are, of how many classes, and how many of them share another's score: their order is a coin toss."""
    with torch.no_grad():
        out = [net([scene(s)])[0] for s in seeds]
    return [len(o["labels"]) for o in out], [len(o["labels"].unique()) for o in out], [len(o["scores"]) - len(o["scores"].unique()) for o in out]


def draw_together(net, last, seeds, best=4.0):
    """Scales the logits of a sigmoid about their threshold until the largest of these images is `best`: which pass and their order stay, and
    scores no longer crowd below 1."""
    largest = []
    handles = [m.register_forward_hook(lambda m, _, y: largest.append(y.max().item())) for m in last]
    found(net, seeds)
    for h in handles:
        h.remove()
    threshold = math.log(net.score_thresh / (1 - net.score_thresh))
    scale = min(1.0, (best - threshold) / (max(largest) - threshold))
    for m in last:
        m.weight.data *= scale
        m.bias.data = scale * m.bias.data + (1 - scale) * threshold


def detector(name, seeds):
    """A lively detector: 20 to 300 boxes of at least five classes on every image, each box with a score of its own."""
    torch.manual_seed(0)
    net = detectors[name][0]()
    enliven(net, lambda: net([scene(-1), scene(-2)]))
    for key, m in net.named_modules():  # deltas of deviation 1 would throw the boxes about
        if isinstance(m, layers) and re.search("bbox_pred|bbox_reg|regression_head.module_list", key):
            m.weight.data *= 0.3
    last, classes = scores_of(net, name)
    first = detectors[name][2]
    sums = {m: [] for m in last}  # scores of one class must not win everywhere: take off what they have in common
    handles = [m.register_forward_hook(lambda m, _, y: sums[m].append((y.transpose(0, 1).flatten(1) if y.dim() == 4 else y.T).mean(1))) for m in last]
    found(net, seeds[:1])
    for h in handles:
        h.remove()
    kept = [(m.weight.data.clone(), m.bias.data - torch.stack(sums[m]).mean(0)) for m in last]
    for gain in (1.0, 2.0, 4.0):
        low, high = -12.0, 12.0
        for _ in range(12):
            shift = 0.5 * (low + high)
            for m, (w, b) in zip(last, kept):
                m.weight.data = gain * w
                there = (torch.arange(b.numel()) % classes >= first).float()
                m.bias.data = gain * b + shift * there
            boxes, kinds, ties = found(net, seeds[:1])
            if 40 <= boxes[0] <= 100:
                break
            low, high = (shift, high) if boxes[0] < 40 else (low, shift)
        boxes, kinds, ties = found(net, seeds)
        if max(ties) and name.startswith("retinanet"):
            draw_together(net, last, seeds)
            boxes, kinds, ties = found(net, seeds)
        if all(20 <= n <= 300 for n in boxes) and min(kinds) >= 5 and not max(ties):
            return net, boxes, kinds
    raise RuntimeError(f"not lively: {boxes} boxes of {kinds} classes, {ties} that share a score")


def heads(net, name):
    """Names of the modules whose outputs stand in front of every discrete step; with two stages, of those that give the feature maps too."""
    if name.startswith("ssd"):
        pattern = r"head\.\w+_head\.module_list\.\d+" + (r"\.1" if name == "ssdlite320" else "")
    elif hasattr(net, "rpn"):
        pattern = r"rpn\.head\.(cls_logits|bbox_pred)|backbone\.fpn\.layer_blocks\.\d+\.0"
    else:
        pattern = r"head\.\w+_head\.(cls_logits|bbox_reg|bbox_ctrness)"
    return [k for k, m in net.named_modules() if isinstance(m, layers) and re.fullmatch(pattern, k)]


def detected(net, names, image):
    """What those modules give, in the order of their calls, and what the network gives in the end."""
    out = {n: [] for n in names}
    modules = dict(net.named_modules())
    handles = [modules[n].register_forward_hook(lambda m, _, y, n=n: out[n].append(y.detach().numpy().copy())) for n in names]
    with torch.no_grad():
        results = net([image])[0]
    for h in handles:
        h.remove()
    return [y for n in names for y in out[n]], [y.numpy() for y in results.values()]


def scope(net, name):
    """The exporter's name of a module: a ModuleList is not called and leaves no part of its own."""
    parts, module = [], net
    for step in name.split("."):
        listed_only = isinstance(module, nn.ModuleList)
        module = getattr(module, step)
        if step.isdigit():
            step = parts[-1] + "." + step
            if listed_only:
                parts.pop()
        parts.append(step)
    return "/" + "/".join(parts)


def cut(path, net, names):
    """Two models out of one: up to those modules' outputs, and from them on (fed as h0, h1 ... beside the image)."""
    model = onnx.load(path)
    values = []
    for n in names:
        pattern = re.compile(re.escape(scope(net, n)) + r"(_\d+)?/(Conv|Gemm)")
        values += [node.output[0] for node in model.graph.node if pattern.fullmatch(node.name)]
    front, back = path.replace(".onnx", ".heads.onnx"), path.replace(".onnx", ".selection.onnx")
    kept = list(model.graph.output)
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_tensor_value_info(v, onnx.TensorProto.FLOAT, None) for v in values)
    onnx.save(model, front)
    del model.graph.output[:]
    model.graph.output.extend(kept)
    nodes = []
    for node in model.graph.node:
        at = [values.index(o) for o in node.output if o in values]
        nodes.append(onnx.helper.make_node("Identity", [f"h{at[0]}"], [values[at[0]]]) if at else node)
    nodes = [onnx.NodeProto.FromString(n.SerializeToString()) for n in nodes]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.graph.input.extend(onnx.helper.make_tensor_value_info(f"h{i}", onnx.TensorProto.FLOAT, None) for i in range(len(values)))
    onnx.save(model, back)
    return front, back


def same(results, expected):
    """Raises what differs between two lists of detections."""
    for k, (a, b) in enumerate(zip(results, expected, strict=True)):
        if a.shape != b.shape:
            raise RuntimeError(f"result {k} has shape {a.shape} for {b.shape}")
        if a.dtype.kind in "iu" and (a != b).any():
            raise RuntimeError(f"result {k} differs in {int((a != b).sum())} of {a.size} labels")
        limit = 0.01 if np.abs(b).max(initial=0) > 20 else 1e-4 if b.ndim < 4 else 1e-3
        if a.dtype.kind == "f" and a.size and not np.abs(a - b).max() <= limit:
            raise RuntimeError(f"result {k} of shape {a.shape} differs by {np.abs(a - b).max():.2g}")


def detection(args, name):
    """Rows of one detector: the tensors in front of the selection against float64, then the selection fed with PyTorch's."""
    seeds = list(range(args.inputs))
    net, boxes, kinds = detector(name, seeds)
    path = str(args.folder / f"{name}.script.onnx")
    torch.onnx.export(net, ([scene(0)],), path, opset_version=17, input_names=["x0"], dynamo=False)
    names = heads(net, name)
    single = [detected(net, names, scene(s)) for s in seeds]
    net.double()
    double = [detected(net, names, scene(s).double()) for s in seeds]
    net.float()
    exact = [y for y, _ in double]
    theirs = np.mean([error(y, e) for (y, _), e in zip(single, exact)])
    front, back = cut(path, net, names)
    try:
        mine = np.mean([error(run_ours(args.program, front, {"x0": scene(s).numpy()}, args.threads), e) for s, e in zip(seeds, exact)])
        yield "script, up to the heads", mine, theirs, "" if mine <= 4 * theirs else "above 4"
    except Exception as refusal:
        yield "script, up to the heads", None, theirs, "FAILED: " + str(refusal)[:160]
    count = f"{min(boxes)} to {max(boxes)} boxes of at least {min(kinds)} classes"
    try:
        for s, (given, results) in zip(seeds, single):
            same(run_ours(args.program, back, {"x0": scene(s).numpy()} | {f"h{i}": h for i, h in enumerate(given)}, args.threads), results)
        yield "script, from the heads", None, theirs, "same as PyTorch: " + count
    except Exception as refusal:
        yield "script, from the heads", None, theirs, f"FAILED: image {s}: " + str(refusal)[:160]
    try:
        for s, (_, results), (_, exact_results) in zip(seeds, single, double):
            whole = run_ours(args.program, path, {"x0": scene(s).numpy()}, args.threads)
            counts = len(results[0]), len(exact_results[0])
            if len(whole[0]) not in counts:
                raise RuntimeError(f"{len(whole[0])} boxes for {counts[0]}, in float64 {counts[1]}")
        yield "script, whole", None, theirs, "runs; as many boxes"
    except Exception as refusal:
        yield "script, whole", None, theirs, f"FAILED: image {s}: " + str(refusal)[:160]


def agreement(args, name):
    """Rows of one network: (exporter, mean error of ours, of PyTorch's float32, or the reason why not)."""
    net = made(name)
    exact, single = [], []
    for seed in range(args.inputs):
        with torch.no_grad():
            single.append(listed(net(*inputs_of(name, seed))))
    with Double(), torch.no_grad():
        net.double()
        exact = [listed(net(*[x.double() for x in inputs_of(name, seed)])) for seed in range(args.inputs)]
        net.float()
    theirs = np.mean([error(y, e) for y, e in zip(single, exact)])
    for exporter in args.exporters:
        path = str(args.folder / f"{name}.{exporter}.onnx")
        try:
            if not os.path.exists(path):
                export(net, inputs_of(name, 0), path, exporter)
        except Exception as refusal:
            yield exporter, None, theirs, "not exported: " + str(refusal).strip().splitlines()[0][:80]
            continue
        try:
            feeds = [{f"x{i}": x.numpy() for i, x in enumerate(inputs_of(name, seed))} for seed in range(args.inputs)]
            mine = np.mean([error(run_ours(args.program, path, f, args.threads), e) for f, e in zip(feeds, exact)])
            yield exporter, mine, theirs, "" if mine <= 4 * theirs else "above 4"
        except Exception as refusal:
            yield exporter, None, theirs, "FAILED: " + str(refusal)[:160]


def rows_of(args, name):
    try:
        yield from (detection if name in detectors else agreement)(args, name)
    except Exception as failure:
        yield "", None, float("nan"), "FAILED: " + str(failure)[:160]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("networks"))
    parser.add_argument("--exporters", nargs="+", default=["script", "dynamo"], choices=["script", "dynamo"])
    parser.add_argument("--inputs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("names", nargs="*")
    args = parser.parse_intermixed_args()
    args.program = args.build / "examples" / "run_onnx"
    args.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    print(f"PyTorch {torch.__version__}, torchvision {torchvision.__version__}, {args.inputs} inputs\n")
    print("| network | exporter | error, PyTorch float32 | error, Ocelli | ratio | |\n|---|---|---|---|---|---|", flush=True)
    missed = 0
    for name in args.names or [*networks, *detectors]:
        for exporter, mine, theirs, remark in rows_of(args, name):
            missed += remark.startswith(("FAILED", "above"))
            print(f"| {name} | {exporter} | {theirs:.1e} | " + ("| |" if mine is None else f"{mine:.1e} | {mine / theirs:.2f} |") + f" {remark} |", flush=True)
    sys.exit(missed > 0)


if __name__ == "__main__":
    main()
