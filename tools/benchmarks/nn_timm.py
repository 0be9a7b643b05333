#!/usr/bin/env python3
"""Networks of timm, beyond those of tools/networks.py: exports them, runs them in ONNX Runtime and here, compares and times.

    python3 tools/benchmarks/nn_timm.py BUILD_FOLDER [names ...] [--folder FOLDER] [--threads 1] [--rounds 3] [--openvino]

BUILD_FOLDER holds examples/run_onnx; FOLDER keeps the exported models. Needs torch, timm, onnx and onnxruntime. Weights are timm's initialisation after
torch.manual_seed(0), but for those that would hide others: zeros are drawn with deviation 0.02, layer scales become 0.3. tools/networks.py measures errors against float64. Prints a Markdown row for
each: milliseconds, the fastest of all runs of both in turn, the share of reference evaluation, and max |ours - theirs| / max |theirs|. Ends with 1 where a network
does not run or differs by more than 1e-4.
"""
import warnings

import timm
import torch

import exported

warnings.simplefilter("ignore")

default = """beit_base_patch16_224 botnet26t_256 cait_xxs24_224 coat_lite_tiny convmixer_768_32 crossvit_9_240 davit_tiny dpn68 edgenext_small efficientformer_l1
efficientvit_b0 efficientvit_m0 ese_vovnet19b_dw fastvit_t8 focalnet_tiny_srf gcvit_xxtiny ghostnetv2_100 gmlp_s16_224 hrnet_w18_small inception_next_tiny
lambda_resnet26t levit_128 maxvit_tiny_tf_224 mixer_s16_224 mobilenetv4_conv_small mobileone_s0 mobilevit_s mobilevitv2_100 nest_tiny poolformer_s12 pvt_v2_b0
regnetz_b16 repvgg_a0 res2net50_26w_4s resnest14d rexnet_100 sequencer2d_s skresnet18 swinv2_tiny_window8_256 tiny_vit_5m_224 twins_pcpvt_small visformer_tiny
xcit_nano_12_p8_224""".split()


def export(name, folder):
    path = folder / f"{name}.onnx"
    if not path.exists():
        torch.manual_seed(0)
        model = timm.create_model(name, pretrained=False).eval()
        with torch.no_grad():
            for weights in model.parameters():  # what begins at zero, or as next to nothing, hides what stands before it
                if weights.ndim > 1 and not weights.any():
                    weights.normal_(std=0.02)
                elif weights.numel() > 1 and weights.min() == weights.max() and 0 < weights.flatten()[0] <= 0.01:
                    weights.fill_(0.3)
            torch.onnx.export(model, torch.randn(1, *model.default_cfg["input_size"]), str(path), dynamo=False, opset_version=17)
    return path, None


exported.main(__doc__.splitlines()[0], f"timm {timm.__version__}", default, export, lambda name: 1e-4)
