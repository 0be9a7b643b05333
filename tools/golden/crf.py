"""Writes tests/golden/crf/: marginals and divergences by pydensecrf, logits by CRF-as-RNN.

    python tools/golden/crf.py [CRFASRNN_FOLDER]

Needs pydensecrf built from github.com/lucasb-eyer/pydensecrf (commit 2723c7f). The logits need torch and a checkout of
github.com/sadeepj/crfasrnn_pytorch: of its C++ only crfasrnn/permutohedral.cpp is compiled (with g++) and called from its Python modules.
"""

import ctypes
import pathlib
import subprocess
import sys
import tempfile
import types

import numpy as np
import pydensecrf.densecrf as dcrf
import pydensecrf.utils as utils

root = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "crf"
root.mkdir(parents=True, exist_ok=True)


def save(name, array):
    np.save(root / f"{name}.npy", np.ascontiguousarray(array))


rng = np.random.default_rng(5)


def picture(h, w):
    """Smooth coloured stripes with noise."""
    y, x = np.mgrid[:h, :w]
    base = np.stack([128 + 100 * np.sin(x / 7 + y / 11), 128 + 90 * np.cos(x / 9), 40 + 170 * ((x + 2 * y) // 16 % 2)], -1)
    return np.clip(base + rng.normal(0, 12, (h, w, 3)), 0, 255).astype(np.uint8)


def energies(labels, h, w):
    z = rng.normal(0, 1, (labels, h, w))
    y, x = np.mgrid[:h, :w]
    z[(x // 9 + 2 * (y // 8)) % labels, y, x] += 1.5
    return (np.log(np.exp(z).sum(0)) - z).astype(np.float32)


normalizations = (dcrf.NO_NORMALIZATION, dcrf.NORMALIZE_BEFORE, dcrf.NORMALIZE_AFTER, dcrf.NORMALIZE_SYMMETRIC)


def field(u, terms):
    labels, h, w = u.shape
    d = dcrf.DenseCRF2D(w, h, labels)
    d.setUnaryEnergy(np.ascontiguousarray(u.reshape(labels, -1)))
    for add in terms:
        add(d)
    return d


def result(d, shape, n=5):
    return np.array(d.inference(n)).reshape(shape)


# Every normalisation, and every kind of compatibility. Unnormalised kernels sum over dozens of pixels, so their weights are small.
h, w = 25, 31
image = picture(h, w)
save("image", image)
u = energies(5, h, w)
save("unary_5", u)
for k, normalization in enumerate(normalizations):
    little = 0.02 if k == 0 else 1
    d = field(u, [lambda d: d.addPairwiseGaussian(sxy=(2, 3), compat=3 * little, normalization=normalization, kernel=dcrf.CONST_KERNEL),
                  lambda d: d.addPairwiseBilateral(sxy=(20, 15), srgb=(13, 10, 20), rgbim=image, compat=5 * little, normalization=normalization,
                                                   kernel=dcrf.FULL_KERNEL)])
    save(f"normalization_{k}", result(d, u.shape))
diagonal = np.float32([-3, -1, -2, 0.5, -4])
full = rng.normal(0, 1, (5, 5)).astype(np.float32) - 2 * np.eye(5, dtype=np.float32)
save("diagonal", diagonal)
save("full", full)
for name, compat in (("diagonal", diagonal), ("full", full)):
    d = field(u, [lambda d: d.addPairwiseGaussian(sxy=3, compat=compat), lambda d: d.addPairwiseBilateral(sxy=30, srgb=13, rgbim=image, compat=compat)])
    save(f"compat_{name}", result(d, u.shape))
    if name == "full":
        q, a, b = d.startInference()
        divergences = [d.klDivergence(q)]
        for _ in range(4):
            d.stepInference(q, a, b)
            divergences.append(d.klDivergence(q))
        save("divergences", np.float64(divergences))
        save("steps_4", np.array(q).reshape(u.shape))

# Other numbers of labels, and sizes: one row, one column, larger than a tile.
for labels, h, w in ((2, 70, 131), (1, 9, 9), (21, 20, 24), (37, 12, 18), (3, 1, 60), (3, 50, 1)):
    i, u = picture(h, w), energies(labels, h, w)
    name = f"{labels}_{h}_{w}"
    save(f"image_{name}", i)
    save(f"unary_{name}", u)
    save(f"marginals_{name}", result(field(u, [lambda d: d.addPairwiseGaussian(sxy=3, compat=3),
                                               lambda d: d.addPairwiseBilateral(sxy=40, srgb=13, rgbim=i, compat=6)]), u.shape))

# Features of other dimensions, points without an image.
for dimensions in (1, 3, 4, 7, 12):
    f = np.cumsum(rng.normal(0, 0.3, (dimensions, 400)), 1).astype(np.float32)
    u = energies(4, 1, 400).reshape(4, 400)
    d = dcrf.DenseCRF(400, 4)
    d.setUnaryEnergy(u)
    d.addPairwiseEnergy(f, compat=4)
    save(f"features_{dimensions}", f)
    save(f"features_unary_{dimensions}", u)
    save(f"features_marginals_{dimensions}", np.array(d.inference(5)))

labels = rng.integers(0, 4, (6, 7)).astype(np.int32)
save("labels", labels)
save("labels_unary", utils.unary_from_labels(labels, 3, 0.7).reshape(3, 6, 7))
save("labels_unary_certain", utils.unary_from_labels(labels, 4, 0.6, zero_unsure=False).reshape(4, 6, 7))
softmax = rng.dirichlet([0.2] * 4, (6, 7)).transpose(2, 0, 1).astype(np.float32)
save("softmax", softmax)
save("softmax_unary", utils.unary_from_softmax(softmax).reshape(4, 6, 7))
save("softmax_unary_scaled", utils.unary_from_softmax(softmax, scale=0.8, clip=1e-3).reshape(4, 6, 7))

if len(sys.argv) > 1:
    import torch

    source = pathlib.Path(sys.argv[1]) / "crfasrnn"
    with tempfile.TemporaryDirectory() as folder:
        bridge = pathlib.Path(folder) / "bridge.cpp"
        bridge.write_text('#include "permutohedral.h"\nextern "C" void filter(float* out, const float* in, const float* f, int d, int n, int c) {\n'
                          "    Permutohedral p; p.init(f, d, n); p.compute(out, in, c); }\n")
        library = str(pathlib.Path(folder) / "bridge.so")
        subprocess.run(["g++", "-O2", "-fPIC", "-shared", f"-I{source}", bridge, source / "permutohedral.cpp", "-o", library], check=True)
        call = ctypes.CDLL(library).filter

    def forward(q, features):
        q, features = q.contiguous(), features.contiguous()
        out = torch.empty_like(q)
        call(*(ctypes.c_void_p(t.data_ptr()) for t in (out, q, features)), features.shape[2], features.shape[0] * features.shape[1], q.shape[0])
        return [out]

    sys.modules["permuto_cpp"] = types.SimpleNamespace(forward=forward)
    sys.path.insert(0, str(source.parent))
    from crfasrnn.crfrnn import CrfRnn

    h, w = 41, 33
    image = (torch.from_numpy(picture(h, w)).permute(2, 0, 1)[None].float() - 110)
    logits = torch.from_numpy(-energies(6, h, w))[None]
    save("rnn_image", image.numpy())
    save("rnn_logits", logits.numpy())
    layer = CrfRnn(6)
    with torch.no_grad():
        save("rnn_default", layer(image, logits).numpy())
        for name, parameter in layer.named_parameters():
            noise = torch.from_numpy(rng.normal(0, 0.2, (6, 6)).astype(np.float32))
            parameter += noise
            save(f"rnn_{name}", parameter.numpy())
        layer.num_iterations = 3
        save("rnn_learned", layer(image, logits).numpy())
