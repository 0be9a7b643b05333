"""Times the dense CRF beside pydensecrf in one run, and prints the ratios as a table.

    python tools/benchmarks/crf.py BUILD_FOLDER [--threads 1 2] [--isa avx2 avx512] [--rounds 5] [words ...]

BUILD_FOLDER holds the programs of the preset `benchmark` (build/benchmark). Needs pydensecrf built from its repository with -O2. Results are
compared first; a difference ends the run. Then every round times the program and the peer once, in turn; the table has the lowest time of all
runs in milliseconds. "processor" is the processor's time of all threads, which a shared machine disturbs less than the clock's; "MB" is by
how much each one's peak memory grows in a fresh process, its result included. pydensecrf has one thread.
"""

import pathlib
import subprocess
import sys
import tempfile
import time

from programs import args, ours, timed  # first: it sets the peers' threads

import numpy as np
import pydensecrf.densecrf as dcrf

from inputs import uniform

goals = {1: 6, 2: 10}
labels = 21


def peer(w, h, iterations):
    """pydensecrf's call for the inputs of benchmarks/crf/dense_crf.cpp."""
    y, x, c = np.meshgrid(np.arange(h), np.arange(w), np.arange(3), indexing="ij")
    tile = (7 * (x // 80) + 3 * (y // 60) + 5 * c) % 4
    image = (uniform(h * w * 3, 21).reshape(h, w, 3) * np.float32(63) + 192 * tile / 3).astype(np.uint8)
    label = (x[..., 0] // 80 + 3 * (y[..., 0] // 60)) % labels
    logit = 3.0 * (label[None] == np.arange(labels)[:, None, None]) + uniform(labels * h * w, 22).reshape(labels, h, w)
    unary = (np.log(np.exp(logit).sum(0)) - logit).reshape(labels, -1).astype(np.float32)

    def run():
        d = dcrf.DenseCRF2D(w, h, labels)
        d.setUnaryEnergy(unary)
        d.addPairwiseGaussian(sxy=3, compat=3)
        d.addPairwiseBilateral(sxy=80, srgb=13, rgbim=image, compat=10)
        return np.array(d.inference(iterations)).reshape(labels, h, w)

    return run


if args.words[:1] == ["peer-memory"]:  # in a process of its own
    call = peer(*map(int, args.words[1:]))
    with open("/proc/self/clear_refs", "w") as f:
        f.write("5")  # the peak starts anew
    status = lambda key: int(next(line for line in open("/proc/self/status") if line.startswith(key)).split()[1])
    before = status("VmHWM")
    call()
    print(status("VmHWM") - before)
    sys.exit()

print("| case | threads | set | goal | peer ms | into ms | returned ms | peer / into | peer / returned | peer processor | processor | ratio | "
      "peer MB | MB |")
print("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|")
for w, h, iterations in ((320, 240, 10), (640, 480, 10), (640, 480, 0)):
    case = f"dense_crf {w}x{h} {iterations} iterations"
    if args.words and not any(word in case for word in args.words):
        continue
    call = peer(w, h, iterations)
    forms = [(threads, isa) for threads in args.threads for isa in args.isa]
    expected = call()
    for threads, isa in forms:
        with tempfile.TemporaryDirectory() as folder:
            ours("benchmark_crf_dense_crf", case, threads, isa, folder)
            result = np.load(pathlib.Path(folder) / (case.replace(" ", "_") + ".npy"))
        worst, same = np.abs(result - expected).max(), (result.argmax(0) == expected.argmax(0)).mean()
        if not (worst <= 1e-3 and same >= 0.999):
            sys.exit(f"results differ: {case} by {worst}, {100 * same:.3f} % of the labels are equal")
    memory = int(subprocess.run([sys.executable, __file__, args.build, "peer-memory", str(w), str(h), str(iterations)], check=True,
                                capture_output=True, text=True).stdout)
    best, processor = {}, float("inf")
    for _ in range(args.rounds):
        peer_time = timed(call)
        start = time.process_time()
        call()
        processor = min(processor, 1e3 * (time.process_time() - start))
        for threads, isa in forms:
            found = {(threads, isa, form): t for form, t in ours("benchmark_crf_dense_crf", case, threads, isa).items()}
            for key, t in list(found.items()) + [("peer", peer_time)]:
                best[key] = min(t, best.get(key, t))
    for threads, isa in forms:
        into, returned, cpu, mb = (best[threads, isa, form] for form in ("into", "returned", "processor", "memory"))
        print(f"| {case} | {threads} | {isa or 'best'} | {goals.get(threads, '')} | {best['peer']:.4g} | {into:.4g} | {returned:.4g} | "
              f"**{best['peer'] / into:.1f}** | {best['peer'] / returned:.1f} | {processor:.4g} | {cpu:.4g} | {processor / cpu:.1f} | "
              f"{memory / 1024:.0f} | {mb / 1024:.0f} |", flush=True)
