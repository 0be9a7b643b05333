"""Times whole networks beside other runtimes in one run, and prints the ratios as a table.

    python tools/benchmarks/nn.py BUILD_FOLDER [--models FOLDER] [--peers onnxruntime openvino ncnn torch] [--threads 1 2] [--rounds 5] [--off] [--load] [--bf16] [words ...]

BUILD_FOLDER holds the program benchmark_nn_networks (preset `benchmark`, or -DOCELLI_BUILD_BENCHMARKS=ON). It knows the networks of the
fixtures folder; --models takes every *.onnx of a folder instead (fixed extents; tools/benchmarks/nn_models.py makes the ones of docs/engine.md). Peers
are the PyPI packages of those names. OpenVINO and ncnn compute in float32; ncnn reads what pnnx (of the same package index) makes of the models, in
a folder `ncnn` beside them; PyTorch (eager, inference mode) takes part where nn_models.py knows the network and FOLDER/NAME.pt has its weights. All
run the same networks on the same inputs with the same number of threads; outputs are compared with ONNX Runtime's first, a difference ends the run.
What whole detectors return, behind their own selection, is compared as a set: a box counts as found if the other side has one of its label within a
pixel and 0.001 of score; at most one in fifty may be missing. Then every round times each once, in turn; the table has the lowest time of all runs in
milliseconds (a shared machine only adds time) and, as a measure of noise, the lowest of the rounds' medians divided by it. --off: ONNX
Runtime without its graph optimisations (versions before 1.21 give wrong results with them on networks that pad before they average).

--load: instead of speed, what it takes to get there, each runtime in a process of its own, with the model in the page cache: milliseconds from path
to first result (session creation plus first run minus a steady run) and peak memory in MB (VmHWM above what the process had before loading, ours
above the beginning of main); the lowest of the rounds.

--bf16: ours with products rounded to bfloat16, and OpenVINO as it is without a precision held to it (bfloat16 where the processor multiplies it);
everyone's difference from ONNX Runtime's float32 is shown.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnxruntime

parser = argparse.ArgumentParser()
parser.add_argument("build", type=pathlib.Path)
parser.add_argument("--models", type=pathlib.Path)
parser.add_argument("--peers", nargs="+", default=["onnxruntime"], choices=["onnxruntime", "openvino", "ncnn", "torch"])
parser.add_argument("--threads", type=int, nargs="+", default=[1])
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--off", action="store_true")
parser.add_argument("--load", action="store_true")
parser.add_argument("--bf16", action="store_true")
parser.add_argument("--measure", nargs=3, metavar=("PEER", "MODEL", "FEEDS"), help=argparse.SUPPRESS)
parser.add_argument("words", nargs="*")
args = parser.parse_intermixed_args()
program = [args.build / "benchmarks" / "benchmark_nn_networks"] + (["--bf16"] if args.bf16 else []) + (["--models", args.models] if args.models else [])
farthest = np.inf if args.bf16 else 5e-3  # random weights may magnify what rounding does: the table shows it


def ours(case, threads, save=None):
    command = program + ["--threads", str(threads), case] + (["--save", save] if save else [])
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return next((float(row[2]), float(row[3])) for row in (line.split("\t") for line in lines) if row[0] == case)


def timed(call, budget=0.5):
    """Median and lowest time in milliseconds of at least 7 runs (3 of those that take over a second), after two to warm up."""
    call()
    start = time.perf_counter()
    call()
    least = 3 if time.perf_counter() - start > 1 else 7
    times, end = [], time.perf_counter() + budget
    while len(times) < least or (len(times) < 1000 and time.perf_counter() < end):
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
    options = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"} | ({} if args.bf16 else {"INFERENCE_PRECISION_HINT": "f32"})
    compiled = core.compile_model(core.read_model(model), "CPU", options)
    request = compiled.create_infer_request()
    fed = feeds[: len(compiled.inputs)]

    def run():
        results = request.infer(fed, share_inputs=True)
        return [results[o] for o in compiled.outputs]

    return run


def converted(model, feeds):
    """The stem of ncnn's two files for this model, made by pnnx where they are missing. It leaves many files, so it works in a folder of its own."""
    folder = pathlib.Path(model).parent / "ncnn"
    stem = folder / pathlib.Path(model).stem
    if not stem.with_suffix(".param").exists():
        tool = shutil.which("pnnx") or shutil.which(pathlib.Path(sys.executable).parent / "pnnx")
        if tool is None:
            raise RuntimeError("pnnx is not installed")
        folder.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory() as work:
            shutil.copy(model, f"{work}/m.onnx")
            shapes = ",".join(str(list(x.shape)).replace(" ", "") for x in feeds)
            subprocess.run([tool, "m.onnx", "fp16=0", f"inputshape={shapes}"], cwd=work, capture_output=True)
            for kind in ("param", "bin"):
                if not os.path.exists(f"{work}/m.ncnn.{kind}"):
                    raise RuntimeError("pnnx does not convert it")
                shutil.move(f"{work}/m.ncnn.{kind}", stem.with_suffix(f".{kind}"))
    return stem


def run_ncnn(model, feeds, threads):
    import ncnn

    stem = converted(model, feeds)
    net = ncnn.Net()
    net.opt.num_threads = threads
    for key in dir(net.opt):
        if key.startswith(("use_fp16", "use_bf16")):
            setattr(net.opt, key, False)
    if net.load_param(str(stem) + ".param") or net.load_model(str(stem) + ".bin"):
        raise RuntimeError("ncnn does not load it")
    fed = [ncnn.Mat(np.ascontiguousarray(x[0] if x.ndim > 1 else x)).clone() for x in feeds]  # no batch
    names = sorted(net.output_names(), key=lambda n: (len(n), n))

    def run():
        extractor, results = net.create_extractor(), []
        for i, x in enumerate(fed[: len(net.input_names())]):
            extractor.input(f"in{i}", x)
        for name in names:
            code, y = extractor.extract(name)
            if code:
                raise RuntimeError(f"ncnn cannot compute {name}: {code}")
            results.append(y)
        return results

    return run


def run_torch(model, feeds, threads):
    import torch
    import nn_models

    path = pathlib.Path(model)
    net = nn_models.network(path.stem) if path.with_suffix(".pt").exists() else None
    if net is None:
        raise RuntimeError("nn_models.py does not know it")
    net.load_state_dict(torch.load(path.with_suffix(".pt"), mmap=True), assign=True)

    def run():
        torch.set_num_threads(threads)  # of the whole process
        return nn_models.run(net, path.stem, feeds)

    return run


runtimes = {"onnxruntime": run_onnxruntime, "openvino": run_openvino, "ncnn": run_ncnn, "torch": run_torch}


def detections(results):
    """Boxes, labels and scores of a detector's results, whichever order the exporter gave them; None if these are something else."""
    if len(results) < 3 or results[0].ndim != 2 or results[0].shape[1] != 4 or any(r.ndim != 1 or len(r) != len(results[0]) for r in results[1:3]):
        return None
    first, second = results[1:3]
    return (results[0], second, first) if (first != np.round(first)).any() else (results[0], first, second)


def missing(results, expected):
    """Share of the expected detections without a counterpart, or of ours."""
    (b, l, s), (eb, el, es) = detections(results), detections(expected)
    alike = (np.abs(b[:, None] - eb).max(-1) < 1) & (l[:, None] == el) & (np.abs(s[:, None] - es) < 1e-3)
    return max(1 - alike.any(0).mean(), 1 - alike.any(1).mean())


def difference(results, expected):
    """The largest difference relative to the largest value; of detections the share that is missing, as text."""
    results = [np.asarray(y, dtype=np.float64) for y in results]
    if detections(expected) is not None:
        share = missing(results, expected)
        if not share <= 0.02:
            raise RuntimeError(f"{100 * share:.0f} % of the boxes are missing")
        return f"{100 * share:.0f} % of {len(expected[0])} boxes missing"
    worst = max(float(np.abs(y.ravel() - e.ravel()).max() / np.abs(e).max()) for y, e in zip(results, expected))
    if not worst < farthest:
        raise RuntimeError(f"answers something else: rel {worst:.2g}")
    return worst


def memory(key):
    return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith(key))


def measure(peer, model, folder):
    """Prints milliseconds to load and peak memory in MB of one runtime in this process."""
    feeds = [np.load(path) for path in sorted(pathlib.Path(folder).glob("in*.npy"))]
    __import__(peer)
    before, start = memory("VmRSS"), time.perf_counter()
    call = runtimes[peer](model, feeds, args.threads[0])
    call()
    to_first = 1e3 * (time.perf_counter() - start)
    print("measured", to_first - timed(call)[1], memory("VmHWM") - before)


if args.measure:
    sys.exit(measure(*args.measure))


def load_row(case, model, feeds):
    with tempfile.TemporaryDirectory() as folder:
        for i, x in enumerate(feeds):
            np.save(f"{folder}/in{i}.npy", x)
        took, used = {}, {}
        for peer in args.peers:
            command = [sys.executable, __file__, str(args.build), "--threads", str(args.threads[0]), "--measure", peer, str(model), folder]
            rows = [subprocess.run(command, capture_output=True, text=True).stdout.split() for _ in range(args.rounds)]
            rows = [(float(row[-2]), float(row[-1])) for row in rows if "measured" in row]
            took[peer], used[peer] = map(min, zip(*rows)) if rows else (float("nan"),) * 2
        names = [i.name for i in onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).get_inputs()]
        given = [part for i, name in enumerate(names[: len(feeds)]) for part in ("--input", f"{name}={folder}/in{i}.npy")]
        command = [args.build / "examples" / "run_onnx", model, "--threads", str(args.threads[0]), "--repeat", "3", *given]
        outs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(args.rounds)]
    number = lambda out, pattern: float(re.search(pattern + r" ([\d.]+)", out)[1])
    mine = min(number(out, "loaded in") + number(out, "first run") - number(out, "fastest") for out in outs)
    peak = min(number(out, "peak memory") - number(out, "MiB,") for out in outs)
    shown = lambda numbers: " | ".join(f"{numbers[p]:.0f}" if numbers[p] == numbers[p] else "" for p in args.peers)
    print(f"| {case} | {shown(took)} | {mine:.0f} | **{np.nanmin([*took.values()]) / mine:.1f}** | {shown(used)} | {peak:.0f} |", flush=True)



def saved(folder, case, kind):
    stem, out = case.replace(" ", "_"), []
    while (path := pathlib.Path(folder) / f"{stem}.{kind}{len(out)}.npy").exists():
        out.append(np.load(path))
    return out


listed = subprocess.run(program + ["--list"], check=True, capture_output=True, text=True).stdout.splitlines()
print(f"ONNX Runtime {onnxruntime.__version__}{', optimisations off' if args.off else ''}")
if args.load:
    print("| network | " + " | ".join(f"{p} load ms" for p in args.peers) + " | ours load ms | fastest / ours | " + " | ".join(f"{p} MB" for p in args.peers) + " | ours MB |")
    print("|---" * (4 + 2 * len(args.peers)) + "|")
else:
    print("| network | threads | " + " | ".join(f"{p} ms" for p in args.peers) + " | ours ms | fastest peer / ours | noise, theirs and ours | largest difference, rel |")
    print("|---" * (6 + len(args.peers)) + "|")
for case, model in (line.split("\t") for line in listed):
    if args.words and not any(word in case for word in args.words):
        continue
    with tempfile.TemporaryDirectory() as folder:
        ours(case, max(args.threads), folder)
        feeds, results = saved(folder, case, "in"), saved(folder, case, "out")
    if args.load:
        load_row(case, model, feeds)
        continue
    calls, errors = {}, {}
    try:
        expected = run_onnxruntime(model, feeds, args.threads[0])()
        for p in args.peers:
            try:
                made = {(threads, p): runtimes[p](model, feeds, threads) for threads in args.threads}
                for call in made.values():
                    errors[p] = difference(call(), expected)
                calls |= made
            except Exception as refusal:
                print(f"<!-- {case}: without {p}: {str(refusal).splitlines()[0][:100]} -->", flush=True)
        if not calls:
            raise RuntimeError("no peer runs it")
    except Exception as refusal:  # a shape that the model does not declare
        print(f"| {case} | | refused: {str(refusal).splitlines()[0][:60]} | {ours(case, args.threads[0])[1]:.3g} | | | |", flush=True)
        continue
    try:
        error = difference(results, expected)
        if isinstance(error, float):
            if not error < (farthest if args.bf16 else 5e-4):
                raise RuntimeError(f"rel {error:.2g}")
            error = f"{error:.1g}"
            if args.bf16:
                error = ", ".join([*(f"{p} {e:.1g}" for p, e in errors.items()), f"ours {error}"])
    except RuntimeError as refusal:
        sys.exit(f"results differ: {case}, {refusal}")
    peers = [p for p in args.peers if (args.threads[0], p) in calls]
    times = {(threads, who): [] for threads in args.threads for who in ["ours", *peers]}
    for _ in range(args.rounds):
        for key, call in calls.items():
            times[key].append(timed(call))
        for threads in args.threads:
            times[threads, "ours"].append(ours(case, threads))
    for threads in args.threads:
        best = {who: tuple(map(min, zip(*times[threads, who]))) for who in ["ours", *peers]}
        mine_median, mine = best["ours"]
        fastest = min(peers, key=lambda p: best[p][1])
        other_median, other = best[fastest]
        print(f"| {case} | {threads} | " + " | ".join(f"{best[p][1]:.3g}" if p in best else "" for p in args.peers) + f" | {mine:.3g} | **{other / mine:.2f}** | "
              f"{other_median / other:.2f}, {mine_median / mine:.2f} | {error} |", flush=True)
