#!/usr/bin/env python3
"""Exports of ultralytics, transformers and segmentation_models_pytorch, as their users make them: runs them in ONNX Runtime and here, compares and times.

    python3 tools/benchmarks/nn_zoo.py BUILD_FOLDER [names ...] [--folder FOLDER] [--threads 1] [--rounds 3] [--openvino]

BUILD_FOLDER holds examples/run_onnx; FOLDER keeps the exported models. Needs torch, torchvision, ultralytics, onnxslim, transformers, timm, segmentation_models_pytorch,
onnx, onnxscript and onnxruntime; downloads nothing. A name may carry options: yolo11n:nms, yolo11n:dynamic:opset=12, yolov8n:half, yolov8n:simplify, segformer:dynamo,
segformer:opset=20. Networks are built from their configurations; weights are the initialisation after torch.manual_seed(0), made lively as in tools/networks.py. Prints a
Markdown row for each, as nn_timm.py does. Ends with 1 where a network does not run or differs by more than 1e-4 (1e-2 with half).
"""
import contextlib
import logging
import os
import pathlib
import sys
import tempfile
import warnings

os.environ.setdefault("YOLO_AUTOINSTALL", "false")
os.environ.setdefault("YOLO_OFFLINE", "true")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent))

import numpy as np
import torch
import transformers

import exported
import networks

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)


def lively(net, run):
    try:
        networks.enliven(net, run)
    except RuntimeError as problem:
        if "not lively" not in str(problem):
            raise
        print(f"{problem}", file=sys.stderr)
        for m in net.modules():
            m._forward_hooks.clear()
    return net.eval()


# ---- ultralytics ----


def yolo(name, options, path):
    from ultralytics import RTDETR, YOLO

    net = (RTDETR if name.startswith("rtdetr") else YOLO)(f"{name}.yaml")
    size = 224 if "-cls" in name else 640
    pictures, picture = torch.rand(2, 3, 320, 320), torch.rand(1, 3, 480 if "dynamic" in options else size, size)
    lively(net.model, lambda: net.model(pictures))
    # Scores of which a few pass, each its own: sigmoids neither saturate nor are as low as training begins.
    last = [branch[-1] for m in net.model.modules() if hasattr(m, "stride") for branch in [*getattr(m, "cv3", []), *(getattr(m, "one2one_cv3", None) or [])]]
    reach = {}
    handles = [m.register_forward_hook(lambda m, _, y: reach.__setitem__(m, (y - m.bias.reshape(-1, 1, 1)).abs().max())) for m in last]
    with torch.no_grad():
        net.model(picture)
    for handle in handles:
        handle.remove()
    for m in last:
        m.weight.data *= 3 / reach.get(m, 3)
        m.bias.data[:] = -2.5
    made = net.export(format="onnx", imgsz=size, nms="nms" in options, dynamic="dynamic" in options, simplify="simplify" in options,
                      opset=int(options.get("opset", 17)), verbose=False, **({"quantize": 16} if "half" in options else {}))
    os.replace(made, path)
    return {"images": picture.numpy()}


# ---- what torch.onnx.export is called on ----


class Tensors(torch.nn.Module):
    """A network of transformers as a function of tensors to tensors."""

    def __init__(self, net, inputs, outputs):
        super().__init__()
        self.net, self.inputs, self.outputs = net, inputs, outputs

    def forward(self, *values):
        out = self.net(**dict(zip(self.inputs, values)))
        found = []
        for key in self.outputs:
            value = out[key]
            found += list(value) if isinstance(value, (tuple, list)) else [value]
        return tuple(found)


def hugging(config, head, inputs, outputs, **settings):
    """`head`.from_config of a configuration; `inputs` maps names to tensors."""

    def make():
        chosen = getattr(transformers, config)(**settings)
        net = getattr(transformers, head)(chosen)
        return Tensors(net, list(inputs), outputs), list(inputs.values())

    return make


def picture(h, w=None):
    return torch.rand(1, 3, h, w or h, generator=torch.Generator().manual_seed(1))


def smp(make, encoder, h=256, w=320):
    def build():
        import segmentation_models_pytorch

        return getattr(segmentation_models_pytorch, make)(encoder, encoder_weights=None, classes=21), [picture(h, w)]

    return build


def backbone(**settings):
    return transformers.ResNetConfig(out_features=["stage2", "stage3", "stage4"], **settings)


def swin_backbone():
    return transformers.SwinConfig(embed_dim=96, depths=[2, 2, 6, 2], num_heads=[3, 6, 12, 24], window_size=7, image_size=224,
                                   out_features=["stage1", "stage2", "stage3", "stage4"])


def dinov2_backbone(**settings):
    return transformers.Dinov2Config(hidden_size=384, num_attention_heads=6, num_hidden_layers=12, reshape_hidden_states=False, apply_layernorm=True, image_size=518,
                                     out_features=["stage3", "stage6", "stage9", "stage12"], **settings)


def sam(part):
    def make():
        torch.manual_seed(0)
        vision = dict(hidden_size=384, num_hidden_layers=6, num_attention_heads=6, global_attn_indexes=[2, 5], image_size=512, output_channels=256)
        net = transformers.SamModel(transformers.SamConfig(vision_config=vision, prompt_encoder_config=dict(image_size=512, image_embedding_size=32)))
        if part == "encoder":
            return Tensors(net.vision_encoder, ["pixel_values"], ["last_hidden_state"]), [picture(512)]
        points, labels = torch.tensor([[[[100.0, 200.0], [300.0, 250.0]]]]), torch.ones(1, 1, 2, dtype=torch.int64)
        return (Tensors(net, ["image_embeddings", "input_points", "input_labels"], ["iou_scores", "pred_masks"]),
                [torch.randn(1, 256, 32, 32, generator=torch.Generator().manual_seed(2)), points, labels])

    return make


def text_ids(n, vocabulary):
    return torch.randint(1000, vocabulary, (1, n), generator=torch.Generator().manual_seed(3))


small = dict(hidden_size=384, num_hidden_layers=12, num_attention_heads=6, intermediate_size=1536)
makers = {
    "segformer": hugging("SegformerConfig", "SegformerForSemanticSegmentation", {"pixel_values": picture(512)}, ["logits"], num_labels=150),
    "detr": lambda: hugging("DetrConfig", "DetrForObjectDetection", {"pixel_values": picture(480, 640)}, ["logits", "pred_boxes"],
                            backbone_config=transformers.ResNetConfig(out_features=["stage4"]))(),
    "yolos": hugging("YolosConfig", "YolosForObjectDetection", {"pixel_values": picture(320, 480)}, ["logits", "pred_boxes"], image_size=[320, 480], **small),
    "rt_detr": hugging("RTDetrConfig", "RTDetrForObjectDetection", {"pixel_values": picture(640)}, ["logits", "pred_boxes"]),
    "d_fine": hugging("DFineConfig", "DFineForObjectDetection", {"pixel_values": picture(640)}, ["logits", "pred_boxes"]),
    "rf_detr": hugging("RfDetrConfig", "RfDetrForObjectDetection", {"pixel_values": picture(560)}, ["logits", "pred_boxes"]),
    "dinov2": hugging("Dinov2Config", "Dinov2Model", {"pixel_values": picture(224)}, ["last_hidden_state", "pooler_output"], image_size=518, **{k: v for k, v in small.items() if k != "intermediate_size"}),
    "dinov3": hugging("DINOv3ViTConfig", "DINOv3ViTModel", {"pixel_values": picture(224)}, ["last_hidden_state", "pooler_output"], **small),
    "clip_vision": hugging("CLIPVisionConfig", "CLIPVisionModelWithProjection", {"pixel_values": picture(224)}, ["image_embeds"], **small),
    "clip": hugging("CLIPConfig", "CLIPModel", {"input_ids": text_ids(16, 49000), "pixel_values": picture(224), "attention_mask": torch.ones(1, 16, dtype=torch.int64)},
                    ["logits_per_image", "image_embeds", "text_embeds"], text_config=dict(num_hidden_layers=6), vision_config=small),
    "siglip_vision": hugging("SiglipVisionConfig", "SiglipVisionModel", {"pixel_values": picture(224)}, ["last_hidden_state", "pooler_output"], **small),
    "sam_encoder": sam("encoder"),
    "sam_decoder": sam("decoder"),
    "dpt": hugging("DPTConfig", "DPTForDepthEstimation", {"pixel_values": picture(384)}, ["predicted_depth"], neck_hidden_sizes=[48, 96, 192, 384], **small),
    "depth_anything": lambda: hugging("DepthAnythingConfig", "DepthAnythingForDepthEstimation", {"pixel_values": picture(280, 364)}, ["predicted_depth"],
                                      backbone_config=dinov2_backbone(), neck_hidden_sizes=[48, 96, 192, 384], fusion_hidden_size=64, reassemble_hidden_size=384)(),
    "mobilevit": hugging("MobileViTConfig", "MobileViTForSemanticSegmentation", {"pixel_values": picture(256)}, ["logits"]),
    "mask2former": lambda: hugging("Mask2FormerConfig", "Mask2FormerForUniversalSegmentation", {"pixel_values": picture(384)}, ["class_queries_logits", "masks_queries_logits"],
                                   backbone_config=swin_backbone())(),
    "oneformer": lambda: hugging("OneFormerConfig", "OneFormerForUniversalSegmentation",
                                 {"pixel_values": picture(384), "task_inputs": text_ids(77, 49000)}, ["class_queries_logits", "masks_queries_logits"], backbone_config=swin_backbone(),
                                 is_training=False)(),
    "swin2sr": hugging("Swin2SRConfig", "Swin2SRForImageSuperResolution", {"pixel_values": picture(64)}, ["reconstruction"], embed_dim=60, depths=[6, 6, 6, 6], num_heads=[6, 6, 6, 6],
                       upsampler="pixelshuffledirect"),
    "vitpose": lambda: hugging("VitPoseConfig", "VitPoseForPoseEstimation", {"pixel_values": picture(256, 192)}, ["heatmaps"],
                               backbone_config=transformers.VitPoseBackboneConfig(hidden_size=384, num_hidden_layers=12, num_attention_heads=6, out_indices=[12]))(),
    "owlvit": hugging("OwlViTConfig", "OwlViTForObjectDetection", {"input_ids": text_ids(16, 49000), "pixel_values": picture(384), "attention_mask": torch.ones(1, 16, dtype=torch.int64)},
                      ["logits", "pred_boxes"], text_config=dict(num_hidden_layers=4), vision_config=dict(num_hidden_layers=6, image_size=384)),
    "zoedepth": lambda: hugging("ZoeDepthConfig", "ZoeDepthForDepthEstimation", {"pixel_values": picture(384)}, ["predicted_depth"],
                                backbone_config=transformers.BeitConfig(image_size=384, use_relative_position_bias=True, reshape_hidden_states=False, out_features=["stage3", "stage6", "stage9", "stage12"],
                                                                        **small), neck_hidden_sizes=[48, 96, 192, 384])(),
    "superpoint": hugging("SuperPointConfig", "SuperPointForKeypointDetection", {"pixel_values": picture(240, 320)}, ["keypoints", "scores", "descriptors"]),
    "deformable_detr": lambda: hugging("DeformableDetrConfig", "DeformableDetrForObjectDetection", {"pixel_values": picture(320, 480)}, ["logits", "pred_boxes"], encoder_layers=3,
                                       decoder_layers=3, backbone_config=backbone(depths=[2, 2, 2, 2], layer_type="basic", hidden_sizes=[64, 128, 256, 512]))(),
    "conditional_detr": lambda: hugging("ConditionalDetrConfig", "ConditionalDetrForObjectDetection", {"pixel_values": picture(320, 480)}, ["logits", "pred_boxes"],
                                        backbone_config=transformers.ResNetConfig(out_features=["stage4"], depths=[2, 2, 2, 2], layer_type="basic", hidden_sizes=[64, 128, 256, 512]))(),
    "table_transformer": lambda: hugging("TableTransformerConfig", "TableTransformerForObjectDetection", {"pixel_values": picture(320, 480)}, ["logits", "pred_boxes"],
                                         backbone_config=transformers.ResNetConfig(out_features=["stage4"], depths=[2, 2, 2, 2], layer_type="basic", hidden_sizes=[64, 128, 256, 512]))(),
    "maskformer": lambda: hugging("MaskFormerConfig", "MaskFormerForInstanceSegmentation", {"pixel_values": picture(384)}, ["class_queries_logits", "masks_queries_logits"],
                                  backbone_config=swin_backbone())(),
    "glpn": hugging("GLPNConfig", "GLPNForDepthEstimation", {"pixel_values": picture(320, 480)}, ["predicted_depth"]),
    "beit": hugging("BeitConfig", "BeitForImageClassification", {"pixel_values": picture(224)}, ["logits"], use_relative_position_bias=True, **small),
    "swinv2": hugging("Swinv2Config", "Swinv2ForImageClassification", {"pixel_values": picture(256)}, ["logits"], image_size=256, window_size=8),
    "hiera": hugging("HieraConfig", "HieraForImageClassification", {"pixel_values": picture(224)}, ["logits"]),
    "cvt": hugging("CvtConfig", "CvtForImageClassification", {"pixel_values": picture(224)}, ["logits"], depth=[1, 2, 4]),
    "videomae": hugging("VideoMAEConfig", "VideoMAEForVideoClassification", {"pixel_values": torch.rand(1, 8, 3, 112, 112, generator=torch.Generator().manual_seed(4))}, ["logits"],
                        image_size=112, num_frames=8, hidden_size=192, num_hidden_layers=6, num_attention_heads=3, intermediate_size=768),
    "layoutlmv3": hugging("LayoutLMv3Config", "LayoutLMv3Model", {"input_ids": text_ids(32, 50000), "pixel_values": picture(224),
                                                                 "bbox": torch.randint(0, 1000, (1, 32, 2), generator=torch.Generator().manual_seed(5)).repeat(1, 1, 2)},
                          ["last_hidden_state"], num_hidden_layers=4),
    "sam2_encoder": lambda: hugging("Sam2VisionConfig", "Sam2VisionModel", {"pixel_values": picture(512)}, ["last_hidden_state"],
                                    backbone_config=transformers.Sam2HieraDetConfig(image_size=[512, 512]), backbone_feature_sizes=[[128, 128], [64, 64], [32, 32]])(),
    "pix2struct_vision": hugging("Pix2StructVisionConfig", "Pix2StructVisionModel", {"flattened_patches": torch.rand(1, 256, 770, generator=torch.Generator().manual_seed(6)).abs() + 1},
                                 ["last_hidden_state"], num_hidden_layers=4),
    "dac_decoder": hugging("DacConfig", "DacModel", {"input_values": torch.rand(1, 1, 8000, generator=torch.Generator().manual_seed(7))}, ["audio_values"]),
    "wav2vec2": hugging("Wav2Vec2Config", "Wav2Vec2Model", {"input_values": torch.rand(1, 16000, generator=torch.Generator().manual_seed(8))}, ["last_hidden_state"], num_hidden_layers=4),
    "trocr_encoder": hugging("ViTConfig", "ViTModel", {"pixel_values": picture(224)}, ["last_hidden_state"], **small),
    "unetpp_resnet34": smp("UnetPlusPlus", "resnet34"),
    "fpn_efficientnet": smp("FPN", "efficientnet-b0"),
    "deeplabv3plus_mobilenet": smp("DeepLabV3Plus", "timm-mobilenetv3_large_100"),
    "pan_resnet18": smp("PAN", "resnet18"),
    "manet_resnet18": smp("MAnet", "resnet18"),
    "linknet_mobileone": smp("Linknet", "mobileone_s0"),
    "segformer_smp_mit": smp("Segformer", "mit_b0"),
    "upernet_resnet18": smp("UPerNet", "resnet18"),
    "dpt_smp_vit": smp("DPT", "tu-vit_small_patch16_224.augreg_in21k", 224, 224),
}

# TorchScript's exporter refuses the first two; ONNX Runtime what it writes of the others (GridSamples of float32 at places in float64).
refused = "rf_detr upernet_resnet18 dinov3 superpoint mask2former oneformer deformable_detr".split()
default = """yolov3-tiny yolov5n yolov5n-p6 yolov6n yolov8n yolov8n:nms yolov8n:dynamic yolov8n:half yolov8n:simplify yolov8n:opset=11 yolov8n-seg yolov8n-pose yolov8n-obb yolov8n-cls yolov8n-p2
yolov8n-ghost yolov8s-worldv2 yolov9t yolov9c-seg yolov10n yolo11n yolo11n:opset=20 yolo11n:nms yolo11n:nms:dynamic yolo11n-seg yolo11n-seg:nms yolo11n-pose:nms yolo11n-obb:nms yoloe-11s-seg
yolo12n yolo26n yolo26n-seg yolo26n-sem yolo26n-depth yolo26n-pose:nms rtdetr-l rtdetr-resnet50""".split() + [*(name for name in makers if name not in refused), *(
    name + ":dynamo" for name in """rf_detr dinov3 superpoint upernet_resnet18 mask2former deformable_detr segformer dinov2 rt_detr sam_decoder depth_anything unetpp_resnet34 clip
beit maskformer sam2_encoder layoutlmv3""".split())]


def export(name, folder):
    path = folder / f"{name.replace(':', '_').replace('=', '')}.onnx"
    feeds = path.with_suffix(".npz")
    if not path.exists() or not feeds.exists():
        base, *rest = name.split(":")
        options = dict((r.split("=") + [""])[:2] for r in rest)
        torch.manual_seed(0)
        with open(os.devnull, "w") as silent, contextlib.redirect_stdout(silent), tempfile.TemporaryDirectory() as scratch:
            if base not in makers:
                here = os.getcwd()
                os.chdir(scratch)
                try:
                    given = yolo(base, options, path)
                finally:
                    os.chdir(here)
            else:
                net, inputs = makers[base]()
                net.eval()
                lively(net, lambda: net(*[torch.cat([x, x.flip(-1)]) if x.dim() == 4 and x.shape[1] == 3 and len(inputs) == 1 else x for x in inputs]))
                names = net.inputs if isinstance(net, Tensors) else ["image"]
                dynamo = "dynamo" in options
                with torch.no_grad():
                    outputs = net(*inputs)
                    if not isinstance(outputs, (tuple, list)):
                        outputs = [outputs]
                    torch.onnx.export(net, tuple(inputs), str(path), input_names=names, output_names=[f"y{i}" for i in range(len(outputs))], dynamo=dynamo,
                                      opset_version=int(options.get("opset", 18 if dynamo else 17)), **({"external_data": False} if dynamo else {}))
                given = {n: x.numpy() for n, x in zip(names, inputs)}
        np.savez(feeds, **given)
    return path, dict(np.load(feeds))


if __name__ == "__main__":
    exported.main(__doc__.splitlines()[0], f"ultralytics, transformers {transformers.__version__}", default, export, lambda name: 1e-2 if "half" in name else 1e-4)
