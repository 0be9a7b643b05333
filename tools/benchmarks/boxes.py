"""Times the box functions beside torchvision and OpenCV in one run, and prints the ratios as a table.

    python tools/benchmarks/boxes.py BUILD_FOLDER [--threads 1 2] [--isa avx2 avx512] [--rounds 5] [words ...]

BUILD_FOLDER holds the programs of the preset `benchmark` (build/benchmark). Needs torch, torchvision and opencv-python. Results are
compared first; a difference ends the run. Then every round times each program and each peer once, in turn; the table has the lowest time
of all runs in microseconds (a shared machine only adds time): ours into given memory and returned, and fastest peer / ours.
Without --isa the instruction set is the one that Ocelli chooses.
"""

import pathlib
import sys
import tempfile

from programs import args, ours, timed  # first: it sets the peers' threads

import cv2
import numpy as np
import torch
import torchvision.ops as ops

from inputs import boxes, scores

goals = {"iou 1000x1000": 25, "iou 10000x1000": 40, "nms 1000 uniform": 10, "nms 1000 clustered": 10, "nms 1000 detector": 5,
         "nms 10000 uniform": 15, "nms 10000 clustered": 15, "nms 10000 detector": 15, "nms 100000 clustered": 40,
         "batched_nms 10000x80": 15, "soft_nms 10000": 10}


def same_indices(result, peer):
    if not np.array_equal(result, np.asarray(peer)):
        sys.exit(f"results differ: {len(result)} and {len(peer)} boxes kept")


def cases():
    """(case, program, peers, check): peers maps a name to a call, check compares our saved result with the peer's."""
    for n, m in ((1000, 1000), (10000, 1000)):
        a, b = torch.from_numpy(boxes(n, 1)), torch.from_numpy(boxes(m, 2))

        def check(result, a=a, b=b):
            if not np.array_equal(result, ops.box_iou(a, b).numpy()):
                sys.exit("results differ: box_iou")

        yield f"iou {n}x{m}", "benchmark_boxes_iou", {"torchvision": lambda a=a, b=b: ops.box_iou(a, b)}, check
    for n in (1000, 10000, 100000):
        for kind, clusters in (("uniform", 0), ("clustered", n // 10), ("detector", n // 100)):
            b, s = boxes(n, 3, clusters), scores(n, 5)
            tb, ts = torch.from_numpy(b), torch.from_numpy(s)
            peers = {"torchvision": lambda tb=tb, ts=ts: ops.nms(tb, ts, 0.5)}
            if n <= 10000:
                rects, plain = np.concatenate([b[:, :2], b[:, 2:] - b[:, :2]], 1).tolist(), s.tolist()
                peers["opencv"] = lambda r=rects, p=plain: cv2.dnn.NMSBoxes(r, p, 0.0, 0.5)
            order = np.argsort(-s, kind="stable")  # torchvision's order of equal scores is its sort's: ours is the input's

            def check(result, tb=tb, ts=ts, order=order):
                kept = order[np.sort(ops.nms(tb[order], torch.arange(len(ts), 0, -1).float(), 0.5).numpy())]
                same_indices(result, kept)

            yield f"nms {n} {kind}", "benchmark_boxes_nms", peers, check
    b, s = torch.from_numpy(boxes(10000, 3, 1000)), torch.from_numpy(scores(10000, 5))
    k = torch.arange(10000) % 80

    def check(result, b=b, s=s, k=k):
        kept = torch.cat([rows[ops.nms(b[rows], s[rows], 0.5)] for rows in (torch.where(k == c)[0] for c in range(80))]).numpy()
        same_indices(result, kept[np.lexsort((kept, -s.numpy()[kept]))])

    yield "batched_nms 10000x80", "benchmark_boxes_nms", {"torchvision": lambda: ops.batched_nms(b, s, k, 0.5)}, check
    for n in (1000, 10000):
        whole = boxes(n, 3, n // 10)
        rects = np.concatenate([whole[:, :2], whole[:, 2:] - whole[:, :2]], 1).astype(int).tolist()
        plain = scores(n, 5).tolist()

        def soft(r=rects, p=plain):
            return cv2.dnn.softNMSBoxes(r, p, 0.05, 0.5, sigma=0.5)

        def check(result, soft=soft):
            updated, kept = soft()
            updated, kept = np.ravel(updated), np.ravel(kept)
            mine, values = result[0].astype(np.int64), result[1]
            if len(mine) != len(kept) or set(mine.tolist()) != set(kept.tolist()):
                sys.exit(f"results differ: soft_nms keeps {len(mine)}, OpenCV {len(kept)}")
            error = np.abs(values[np.argsort(mine)] - updated[np.argsort(kept)]).max()
            if error > 2e-6:
                sys.exit(f"results differ: soft_nms scores by {error}")

        yield f"soft_nms {n}", "benchmark_boxes_soft_nms", {"opencv": soft}, check


print("| case | threads | set | goal | torchvision us | opencv us | into us | returned us | peer / into | peer / returned |")
print("|---|---|---|---|---|---|---|---|---|---|")
for case, program, peers, check in cases():
    if args.words and not any(word in case for word in args.words):
        continue
    forms = [(threads, isa) for threads in args.threads for isa in args.isa]
    for threads, isa in forms:
        with tempfile.TemporaryDirectory() as folder:
            ours(program, case, threads, isa, folder)
            check(np.load(pathlib.Path(folder) / (case.replace(" ", "_") + ".npy")))
    for call in peers.values():
        call()
    best = {}
    for _ in range(args.rounds):
        for threads in args.threads:
            torch.set_num_threads(threads)
            cv2.setNumThreads(threads)
            found = {(threads, "", name): timed(call) for name, call in peers.items()}
            for isa in args.isa:
                found.update(((threads, isa, form), t) for form, t in ours(program, case, threads, isa).items())
            for key, t in found.items():
                best[key] = min(t, best.get(key, t))
    for threads, isa in forms:
        peer = min(best[threads, "", name] for name in peers)
        mine = {form: best[threads, isa, form] for form in ("into", "returned")}
        cells = [f"{1e3 * best[threads, '', name]:.4g}" if name in peers else "" for name in ("torchvision", "opencv")]
        cells += [f"{1e3 * t:.4g}" for t in mine.values()] + [f"**{peer / mine['into']:.1f}**", f"{peer / mine['returned']:.1f}"]
        print(f"| {case} | {threads} | {isa or 'best'} | {goals.get(case, '')} | " + " | ".join(cells) + " |", flush=True)
