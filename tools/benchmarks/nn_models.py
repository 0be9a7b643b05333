"""Makes the models that tools/benchmarks/nn.py times with --models.

    python tools/benchmarks/nn_models.py FOLDER [--fixtures FOLDER] [names ...]

Writes FOLDER/NAME.onnx for each network below that is not there yet. Needs torch, torchvision and onnx.

- Networks of torchvision, a U-Net and a DCGAN decoder, without post-processing: PyTorch's own initialisation after torch.manual_seed(0), batch norms
  calibrated on two random images, so that activations neither die nor explode. FOLDER/NAME.pt has the weights, for PyTorch as a peer.
- Whole detectors with their own selection, lively as tools/networks.py makes them; FOLDER/NAME.in0.npy is the picture they are fed, the others are
  fed uniform numbers.
- ultraface and fastestdet, real ones of the fixtures folder: the former with its weights taken off the graph's inputs, because some runtimes
  optimise nothing that depends on a weight that could be fed.
"""

import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import networks as lively
import numpy as np
import onnx
import torch
import torchvision
from torch import nn

models = torchvision.models
picked, plain, segmented = lively.Picked, lively.plain, lively.segmented


def ssd_heads():
    return picked(models.detection.ssd300_vgg16(weights=None, weights_backbone=None), lambda m, x: tuple(m.head(list(m.backbone(x).values())).values()))


def pyramid():
    net = models.detection.fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None, trainable_backbone_layers=5)
    return picked(net.backbone, lambda m, x: tuple(m(x).values()))


def flow():
    return picked(models.optical_flow.raft_small(weights=None), lambda m, a, b: m(a, b)[-1])


image = [(1, 3, 224, 224)]
plain_networks = {  # name: maker, input shapes
    "resnet50": (plain(models.resnet50), image),
    "vgg16": (plain(models.vgg16), image),
    "mobilenet_v3_large": (plain(models.mobilenet_v3_large), image),
    "efficientnet_b0": (plain(models.efficientnet_b0), image),
    "vit_b_16": (plain(models.vit_b_16), image),
    "unet": (lambda: lively.UNet((64, 128, 256, 512, 1024)), [(1, 3, 256, 256)]),
    "deeplabv3_resnet50": (segmented(models.segmentation.deeplabv3_resnet50), [(1, 3, 320, 320)]),
    "fcn_resnet50": (segmented(models.segmentation.fcn_resnet50), [(1, 3, 320, 320)]),
    "ssd300_vgg16": (ssd_heads, [(1, 3, 300, 300)]),
    "fasterrcnn_body": (pyramid, [(1, 3, 480, 640)]),
    "raft_small": (flow, [(1, 3, 256, 320)] * 2),
    "r3d_18": (plain(models.video.r3d_18), [(1, 3, 16, 112, 112)]),
    "decoder": (lambda: lively.Generator((1024, 512, 256, 128, 64)), [(1, 100, 1, 1)]),
}
whole = {  # name: the detector's name in networks.py
    "fasterrcnn_whole": "fasterrcnn_resnet50_fpn",
    "maskrcnn_whole": "maskrcnn_resnet50_fpn",
    "keypointrcnn_whole": "keypointrcnn",
    "retinanet_whole": "retinanet_resnet50_fpn",
    "ssd300_whole": "ssd300_vgg16",
}
fixtures = {"ultraface": "ultraface/version-RFB-320.onnx", "fastestdet": "fastestdet/FastestDet.onnx"}


def network(name):
    """The network of that name as PyTorch has it, in evaluation mode, with weights yet to be loaded; None for those that PyTorch does not know."""
    if name in whole:
        return lively.detectors[whole[name]][0]().eval()
    return plain_networks[name][0]().eval() if name in plain_networks else None


def run(net, name, feeds):
    """What the network gives for those arrays, as arrays, in the order of the exported model's outputs."""
    feeds = [torch.from_numpy(x) for x in feeds]
    with torch.inference_mode():
        out = list(net(feeds)[0].values()) if name in whole else net(*feeds)
    return [y.numpy() for y in (out if isinstance(out, (tuple, list)) else [out])]


def calibrated(name):
    torch.manual_seed(0)
    make, shapes = plain_networks[name]
    net = make().eval()
    for p in net.parameters():
        if p.dim() > 1 and not p.any():  # a classifier that starts at zero would answer zero
            nn.init.normal_(p, std=0.02)
    generator = torch.Generator().manual_seed(0)
    batch = [torch.rand((2,) + s[1:], generator=generator) for s in shapes]
    for m in net.modules():
        if isinstance(m, nn.modules.batchnorm._BatchNorm):
            m.train()
            m.momentum = None
    with torch.no_grad():
        net(*batch)
    return net.eval(), [b[:1] for b in batch]


def without_aliases(path):
    """The exporter shares equal weights through Identity nodes, which not every runtime reads: nodes take the weights themselves."""
    model = onnx.load(path)
    graph = model.graph
    source = {i.name: i.name for i in graph.initializer}
    kept = []
    for n in graph.node:
        if n.op_type == "Identity" and n.input[0] in source:
            source[n.output[0]] = source[n.input[0]]
            continue
        for k, i in enumerate(n.input):
            n.input[k] = source.get(i, i)
        kept.append(onnx.NodeProto.FromString(n.SerializeToString()))
    del graph.node[:]
    graph.node.extend(kept)
    onnx.save(model, path)


def with_constant_weights(source, path):
    model = onnx.load(source)
    weights = {i.name for i in model.graph.initializer}
    kept = [v for v in model.graph.input if v.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    onnx.save(model, path)


def make(name, folder, source):
    path = str(folder / f"{name}.onnx")
    if name in fixtures:
        if not (source / fixtures[name]).exists():
            return print(f"{name}: {source / fixtures[name]} is not there")
        return with_constant_weights(source / fixtures[name], path)
    if name in whole:
        torch.set_num_threads(1)  # sums of another order could choose another bias
        net, boxes, kinds = lively.detector(whole[name], [0, 1])
        inputs = [lively.scene(0)]
        torch.onnx.export(net, (inputs,), path, opset_version=17, input_names=["x0"], dynamo=False)
        np.save(folder / f"{name}.in0.npy", inputs[0].numpy())
        print(f"{name}: {boxes} boxes of {kinds} classes")
    else:
        net, inputs = calibrated(name)
        torch.backends.mha.set_fastpath_enabled(False)  # attention's fused path has no ONNX form
        opset = {"raft_small": 16, "vit_b_16": 17}.get(name, 13)
        torch.onnx.export(net, tuple(inputs), path, opset_version=opset, input_names=[f"x{i}" for i in range(len(inputs))], dynamo=False)
        without_aliases(path)
    torch.save(net.state_dict(), folder / f"{name}.pt")


def main():
    every = [*plain_networks, *whole, *fixtures]
    root = pathlib.Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--fixtures", type=pathlib.Path, default=root.parent / "shared" / "fixtures")
    parser.add_argument("names", nargs="*")
    args = parser.parse_intermixed_args()
    if unknown := [n for n in args.names if n not in every]:
        parser.error(f"no network is called {unknown[0]}; there are {', '.join(every)}")
    args.folder.mkdir(parents=True, exist_ok=True)
    for name in args.names or every:
        if not (args.folder / f"{name}.onnx").exists():
            make(name, args.folder, args.fixtures)


if __name__ == "__main__":
    main()
