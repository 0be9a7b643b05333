"""Times whole networks beside other runtimes in one run, and prints the ratios as a table.

    python tools/benchmarks/nn.py BUILD_FOLDER [--models FOLDER] [--peers onnxruntime openvino ...] [--threads 1 2] [--rounds 5] [--off] [words ...]

BUILD_FOLDER holds the program benchmark_nn_networks (preset `benchmark`, or -DOCELLI_BUILD_BENCHMARKS=ON). It knows the networks of the
fixtures folder; --models takes every *.onnx of a folder instead (fixed extents, random input). Peers are the PyPI packages of those names;
OpenVINO computes in float32. All run the same graphs on the same inputs with the same number of threads; outputs are compared with ONNX
Runtime's first, a difference ends the run. Then every round times each once, in turn; the table has the lowest time of all runs in
milliseconds (a shared machine only adds time) and, as a measure of noise, the lowest of the rounds' medians divided by it. --off: ONNX
Runtime without its graph optimisations (versions before 1.21 give wrong results with them on networks that pad before they average).
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnxruntime

parser = argparse.ArgumentParser()
parser.add_argument("build", type=pathlib.Path)
parser.add_argument("--models", type=pathlib.Path)
parser.add_argument("--peers", nargs="+", default=["onnxruntime"], choices=["onnxruntime", "openvino"])
parser.add_argument("--threads", type=int, nargs="+", default=[1])
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--off", action="store_true")
parser.add_argument("words", nargs="*")
args = parser.parse_intermixed_args()
program = [args.build / "benchmarks" / "benchmark_nn_networks"] + (["--models", args.models] if args.models else [])


def ours(case, threads, save=None):
    command = program + ["--threads", str(threads), case] + (["--save", save] if save else [])
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return next((float(row[2]), float(row[3])) for row in (line.split("\t") for line in lines) if row[0] == case)


def timed(call, budget=0.5):
    """Median and lowest time in milliseconds of at least 7 runs, after two to warm up."""
    call()
    call()
    times, end = [], time.perf_counter() + budget
    while len(times) < 7 or (len(times) < 1000 and time.perf_counter() < end):
        start = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start))
    return float(np.median(times)), min(times)


def run_onnxruntime(model, feeds, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if args.off:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    fed = {i.name: f for i, f in zip(session.get_inputs(), feeds)}
    return lambda: session.run(None, fed)


def run_openvino(model, feeds, threads):
    import openvino

    core = openvino.Core()
    options = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(core.read_model(model), "CPU", options)
    request = compiled.create_infer_request()
    fed = feeds[: len(compiled.inputs)]

    def run():
        results = request.infer(fed, share_inputs=True)
        return [results[o] for o in compiled.outputs]

    return run


runtimes = {"onnxruntime": run_onnxruntime, "openvino": run_openvino}


def saved(folder, case, kind):
    stem, out = case.replace(" ", "_"), []
    while (path := pathlib.Path(folder) / f"{stem}.{kind}{len(out)}.npy").exists():
        out.append(np.load(path))
    return out


listed = subprocess.run(program + ["--list"], check=True, capture_output=True, text=True).stdout.splitlines()
print(f"ONNX Runtime {onnxruntime.__version__}{', optimisations off' if args.off else ''}")
print("| network | threads | " + " | ".join(f"{p} ms" for p in args.peers) + " | ours ms | fastest peer / ours | noise, theirs and ours | largest difference, rel |")
print("|---" * (6 + len(args.peers)) + "|")
for case, model in (line.split("\t") for line in listed):
    if args.words and not any(word in case for word in args.words):
        continue
    with tempfile.TemporaryDirectory() as folder:
        ours(case, 1, folder)
        feeds, results = saved(folder, case, "in"), saved(folder, case, "out")
    try:
        calls = {(threads, p): runtimes[p](model, feeds, threads) for threads in args.threads for p in args.peers}
        expected = run_onnxruntime(model, feeds, args.threads[0])()
        for call in calls.values():
            call()
    except Exception as refusal:  # a shape that the model does not declare
        print(f"| {case} | | refused: {str(refusal).splitlines()[0][:60]} | {ours(case, args.threads[0])[1]:.3g} | | | |", flush=True)
        continue
    error = max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(results, expected, strict=True))
    if not error < 5e-4:
        sys.exit(f"results differ: {case}, rel {error:.2g}")
    times = {(threads, who): [] for threads in args.threads for who in ["ours", *args.peers]}
    for _ in range(args.rounds):
        for key, call in calls.items():
            times[key].append(timed(call))
        for threads in args.threads:
            times[threads, "ours"].append(ours(case, threads))
    for threads in args.threads:
        best = {who: tuple(map(min, zip(*times[threads, who]))) for who in ["ours", *args.peers]}
        mine_median, mine = best["ours"]
        fastest = min(args.peers, key=lambda p: best[p][1])
        other_median, other = best[fastest]
        print(f"| {case} | {threads} | " + " | ".join(f"{best[p][1]:.3g}" for p in args.peers) + f" | {mine:.3g} | **{other / mine:.2f}** | "
              f"{other_median / other:.2f}, {mine_median / mine:.2f} | {error:.1g} |", flush=True)
