"""Times the mask functions beside pycocotools and torch in one run, and prints the ratios as a table.

    python tools/benchmarks/masks.py BUILD_FOLDER [--threads 1 2] [--isa avx2 avx512] [--rounds 5] [words ...]

BUILD_FOLDER holds the programs of the preset `benchmark` (build/benchmark). Needs pycocotools and torch. Results are compared first; a
difference ends the run. Then every round times each program and each peer once, in turn; the table has the lowest time of all runs in
microseconds (a shared machine only adds time). pycocotools encodes arrays that already are in Fortran order and decodes to them, and its
masks are compressed strings: beside our time from and to counts stands the one from and to strings. torch multiplies masks as float
matrices; their conversion from bytes is in neither time. Without --isa the instruction set is the one that Ocelli chooses.
"""

import pathlib
import sys
import tempfile

from programs import args, ours, timed  # first: it sets the peers' threads

import numpy as np
import pycocotools.mask as coco
import torch

from inputs import masks

goals = {"rle encode 50": 2, "rle decode 50": 2, "rle iou 50x50": 2, "mask iou 200x200": 10}


def same(a, b, what):
    if not np.array_equal(a, b):
        sys.exit(f"results differ: {what}")


def cases():
    """(case, program, peer's name, peer's call, check): check compares our saved result with the peer's."""
    m = masks(50, 480, 640, 11)
    fortran = np.asfortranarray(m.transpose(1, 2, 0))
    encoded = coco.encode(fortran)
    text = b"".join(e["counts"] + b"\n" for e in encoded)
    yield ("rle encode 50", "benchmark_masks_rle", "pycocotools", lambda: coco.encode(fortran),
           lambda r: same(r.tobytes(), text, "encode"))
    yield ("rle decode 50", "benchmark_masks_rle", "pycocotools", lambda: coco.decode(encoded), lambda r: same(r, m, "decode"))
    crowd = [0] * 50
    yield ("rle iou 50x50", "benchmark_masks_rle", "pycocotools", lambda: coco.iou(encoded, encoded, crowd),
           lambda r: same(r, coco.iou(encoded, encoded, crowd), "iou"))
    for n in (50, 200):
        a, b = (torch.from_numpy(masks(n, 480, 640, seed)).flatten(1).float() for seed in (11, 12))

        def matrix(a=a, b=b):
            both = a @ b.T
            return both / (a.sum(1)[:, None] + b.sum(1)[None] - both)

        def check(result, matrix=matrix):
            if np.abs(result - matrix().numpy()).max() > 1e-6:
                sys.exit("results differ: mask iou")

        yield f"mask iou {n}x{n}", "benchmark_masks_iou", "torch", matrix, check


print("| case | threads | set | goal | peer | peer us | ours us | peer / ours |")
print("|---|---|---|---|---|---|---|---|")
for case, program, peer, call, check in cases():
    if args.words and not any(word in case for word in args.words):
        continue
    forms = [(threads, isa) for threads in args.threads for isa in args.isa]
    for threads, isa in forms:
        with tempfile.TemporaryDirectory() as folder:
            ours(program, case, threads, isa, folder)
            check(np.load(pathlib.Path(folder) / (case.replace(" ", "_") + ".npy")))
    call()
    best = {}
    for _ in range(args.rounds):
        for threads in args.threads:
            torch.set_num_threads(threads)
            found = {(threads, "", peer): timed(call)}
            for isa in args.isa:
                found.update(((threads, isa, form), t) for form, t in ours(program, case, threads, isa).items())
            for key, t in found.items():
                best[key] = min(t, best.get(key, t))
    for threads, isa in forms:
        theirs = best[threads, "", peer]
        for (t, i, form), mine in best.items():
            if t == threads and i == isa and form != peer:
                print(f"| {case}, {form} | {threads} | {isa or 'best'} | {goals.get(case, '')} | {peer} | {1e3 * theirs:.4g} | {1e3 * mine:.4g} | "
                      f"**{theirs / mine:.1f}** |", flush=True)
