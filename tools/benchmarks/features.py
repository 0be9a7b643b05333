"""Times the operations on feature maps beside torch and torchvision in one run, and prints the ratios as a table.

    python tools/benchmarks/features.py BUILD_FOLDER [--threads 1 2] [--isa avx2 avx512] [--rounds 5] [words ...]

BUILD_FOLDER holds the programs of the preset `benchmark` (build/benchmark). Needs torch and torchvision. Results are compared first; a
difference ends the run. Then every round times each program and the peer once, in turn; the table has the lowest time of all runs in
milliseconds (a shared machine only adds time). Without --isa the instruction set is the one that Ocelli chooses.
"""

import pathlib
import sys
import tempfile

from programs import args, ours, timed  # first: it sets the peers' threads

import numpy as np
import torch
import torch.nn.functional as F
import torchvision.ops as ops

from inputs import uniform

goals = {"roi_align sampling 2": 12, "roi_align adaptive": 12, "roi_pool": 12, "roi_align_pyramid sampling 2": 12, "roi_align_pyramid adaptive": 12,
         "max_pool2d": 6, "max_pool2d indices": 6, "max_unpool2d": 1.5, "upsample bilinear x2": 6, "grid_sample": 5}


def cases():
    """(program, case, torch's call, its form with given memory or None, which of its results is compared, largest difference allowed)."""
    m = torch.from_numpy(uniform(256 * 200 * 304, 21)).reshape(1, 256, 200, 304)
    u = uniform(4000, 22).reshape(1000, 4)
    corner = np.float32([1000, 700]) * u[:, :2]
    side = np.float32(200) * u[:, 2:] + np.float32(16)
    rois = torch.from_numpy(np.concatenate([np.zeros((1000, 1), np.float32), corner, corner + side], 1))
    yield "roi", "roi_align sampling 2", lambda: ops.roi_align(m, rois, 7, 0.25, 2, True), None, None, 1e-5
    yield "roi", "roi_align adaptive", lambda: ops.roi_align(m, rois, 7, 0.25, -1, True), None, None, 1e-5
    yield "roi", "roi_pool", lambda: ops.roi_pool(m, rois, 7, 0.25), None, None, 0
    levels = {str(i): torch.from_numpy(uniform(256 * (200 >> i) * (304 >> i), 24 + i)).reshape(1, 256, 200 >> i, 304 >> i) for i in range(4)}
    u = uniform(4000, 23).reshape(1000, 4)
    side = (np.float32(24) * u[:, 2:] + np.float32(24)) * np.float32(2) ** (np.arange(1000) % 5)[:, None].astype(np.float32)
    corner = u[:, :2] * (np.float32([1216, 800]) - side)
    boxes = [torch.from_numpy(np.concatenate([corner, corner + side], 1))]
    for name, sampling in (("sampling 2", 2), ("adaptive", -1)):
        pool = ops.MultiScaleRoIAlign(list(levels), 7, sampling)
        yield "roi", f"roi_align_pyramid {name}", lambda pool=pool: pool(levels, boxes, [(800, 1216)]), None, None, 1e-5
    x = torch.from_numpy(uniform(64 * 256 * 256, 7)).reshape(1, 64, 256, 256)
    y, i = F.max_pool2d(x, 2, return_indices=True)
    given, places = torch.empty_like(y), torch.empty_like(i)
    large, doubled = torch.empty_like(x), torch.empty(1, 64, 512, 512)
    grid = 2 * torch.from_numpy(uniform(2 * 256 * 256, 13)).reshape(1, 256, 256, 2) - 1
    pooled = torch.ops.aten.max_pool2d_with_indices.out
    yield "sampling", "max_pool2d", lambda: F.max_pool2d(x, 2), lambda: pooled(x, [2, 2], [2, 2], out=given, indices=places), None, 0
    yield ("sampling", "max_pool2d indices", lambda: F.max_pool2d(x, 2, return_indices=True),
           lambda: pooled(x, [2, 2], [2, 2], out=given, indices=places), 1, 0)
    yield ("sampling", "max_unpool2d", lambda: F.max_unpool2d(y, i, 2), lambda: torch.ops.aten.max_unpool2d.out(y, i, [256, 256], out=large), None, 0)
    yield ("sampling", "upsample bilinear x2", lambda: F.interpolate(x, scale_factor=2, mode="bilinear"),
           lambda: torch.ops.aten.upsample_bilinear2d.out(x, [512, 512], False, 2.0, 2.0, out=doubled), None, 1e-6)
    yield "sampling", "grid_sample", lambda: F.grid_sample(x, grid, align_corners=False), None, None, 1e-4


print("| case | threads | set | goal | peer ms | peer's out= ms | into ms | returned ms | peer / into | peer's out= / into | peer / returned |")
print("|---|---|---|---|---|---|---|---|---|---|---|")
for program, case, call, call_into, which, allowed in cases():
    program = f"benchmark_features_{program}"
    if args.words and not any(word in case for word in args.words):
        continue
    forms = [(threads, isa) for threads in args.threads for isa in args.isa]
    for threads, isa in forms:
        with tempfile.TemporaryDirectory() as folder:
            ours(program, case, threads, isa, folder)
            result = np.load(pathlib.Path(folder) / (case.replace(" ", "_") + ".npy"))
        expected = call() if which is None else call()[which]
        if np.abs(result - expected.numpy()).max() > allowed:
            sys.exit(f"results differ: {case} by {np.abs(result - expected.numpy()).max()}")
    best = {}
    for _ in range(args.rounds):
        for threads in args.threads:
            torch.set_num_threads(threads)
            found = {(threads, "", "peer"): timed(call)}
            if call_into:
                found[threads, "", "peer into"] = timed(call_into)
            for isa in args.isa:
                found.update(((threads, isa, form), t) for form, t in ours(program, case, threads, isa).items())
            for key, t in found.items():
                best[key] = min(t, best.get(key, t))
    for threads, isa in forms:
        peer, into, returned = best[threads, "", "peer"], best[threads, isa, "into"], best[threads, isa, "returned"]
        given = best.get((threads, "", "peer into"))
        print(f"| {case} | {threads} | {isa or 'best'} | {goals[case]} | {peer:.4g} | {f'{given:.4g}' if given else '-'} | {into:.4g} | {returned:.4g} | "
              f"**{peer / into:.1f}** | {f'**{given / into:.1f}**' if given else '-'} | {peer / returned:.1f} |", flush=True)
