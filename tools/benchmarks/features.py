"""Times the operations on feature maps beside torchvision in one run, and prints the ratios as a table.

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
import torchvision.ops as ops

from inputs import uniform

goals = {"roi_align sampling 2": 12, "roi_align adaptive": 12, "roi_pool": 12}


def cases():
    """(case, torchvision's call, largest difference allowed)."""
    m = torch.from_numpy(uniform(256 * 200 * 304, 21)).reshape(1, 256, 200, 304)
    u = uniform(4000, 22).reshape(1000, 4)
    corner = np.float32([1000, 700]) * u[:, :2]
    side = np.float32(200) * u[:, 2:] + np.float32(16)
    rois = torch.from_numpy(np.concatenate([np.zeros((1000, 1), np.float32), corner, corner + side], 1))
    yield "roi_align sampling 2", lambda: ops.roi_align(m, rois, 7, 0.25, 2, True), 1e-5
    yield "roi_align adaptive", lambda: ops.roi_align(m, rois, 7, 0.25, -1, True), 1e-5
    yield "roi_pool", lambda: ops.roi_pool(m, rois, 7, 0.25), 0


print("| case | threads | set | goal | torchvision ms | into ms | returned ms | peer / into | peer / returned |")
print("|---|---|---|---|---|---|---|---|---|")
for case, call, allowed in cases():
    if args.words and not any(word in case for word in args.words):
        continue
    forms = [(threads, isa) for threads in args.threads for isa in args.isa]
    for threads, isa in forms:
        with tempfile.TemporaryDirectory() as folder:
            ours("benchmark_features_roi", case, threads, isa, folder)
            result = np.load(pathlib.Path(folder) / (case.replace(" ", "_") + ".npy"))
        if np.abs(result - call().numpy()).max() > allowed:
            sys.exit(f"results differ: {case} by {np.abs(result - call().numpy()).max()}")
    best = {}
    for _ in range(args.rounds):
        for threads in args.threads:
            torch.set_num_threads(threads)
            found = {(threads, "", "peer"): timed(call)}
            for isa in args.isa:
                found.update(((threads, isa, form), t) for form, t in ours("benchmark_features_roi", case, threads, isa).items())
            for key, t in found.items():
                best[key] = min(t, best.get(key, t))
    for threads, isa in forms:
        peer, into, returned = best[threads, "", "peer"], best[threads, isa, "into"], best[threads, isa, "returned"]
        print(f"| {case} | {threads} | {isa or 'best'} | {goals[case]} | {peer:.4g} | {into:.4g} | {returned:.4g} | **{peer / into:.1f}** | "
              f"{peer / returned:.1f} |", flush=True)
