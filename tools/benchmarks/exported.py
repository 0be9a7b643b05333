"""What nn_timm.py and nn_zoo.py share: runs exported networks in ONNX Runtime and here, compares and times. A module of those scripts, not a program."""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnxruntime


def ours(options, path, feeds, scratch):
    """Milliseconds of the fastest run, the share of reference evaluation in percent, and the outputs by name."""
    command = [options.build / "examples/run_onnx", path, "--threads", str(options.threads), "--repeat", "5", "--profile", "--save", scratch / "out"]
    for i, (name, value) in enumerate(feeds.items()):
        np.save(scratch / f"{i}.npy", value)
        command += ["--input", f"{name}={scratch / f'{i}.npy'}"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if run.returncode:
        raise RuntimeError(run.stderr.strip() or f"ended with {run.returncode}")
    outputs = {name: np.load(file) for name, file in re.findall(r"^result (.+?): .* -> (.*\.npy)$", run.stdout, re.M)}
    share = re.search(r"\(([\d.]+) %\) reference", run.stdout)
    return float(re.search(r"fastest ([\d.]+)", run.stdout)[1]), float(share[1]) if share else 0.0, outputs


def difference(result, expected):
    """max |result - expected| / max |expected|; infinite where shapes differ, NaN where a NaN stands on one side alone."""
    if result.shape != expected.shape:
        return float("inf")
    if not expected.size:
        return 0.0
    a, b = result.astype(np.float64), expected.astype(np.float64)
    apart = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0, np.abs(a - b))
    size = max(np.abs(b[np.isfinite(b)]).max(initial=0), 1e-30)
    if apart.max() > 1e-2 * size and a.ndim == 3 and a.shape[0] == 1 and a.shape[1] <= 300:
        # Detections, by scores: equal ones but for a rounding change places, and at the end one is another. Each has its like but for one in fifty.
        nearest = [np.abs(a[0] - row).max(1).min() for row in b[0]]
        return np.sort(nearest)[-(1 + len(nearest) // 50)] / size
    return apart.max() / size


def session(path, threads, optimised=True):
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.log_severity_level = 4
    if not optimised:
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])


def openvino_run(path, threads):
    """A function that runs the network in OpenVINO, in float32."""
    import openvino

    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
    request = openvino.Core().compile_model(str(path), "CPU", settings).create_infer_request()
    return lambda feeds: request.infer(feeds)


def row(name, path, feeds, options, scratch):
    peer = session(path, options.threads)
    if feeds is None:
        feeds = {given.name: np.random.default_rng(0).standard_normal(given.shape).astype(np.float32) for given in peer.get_inputs()}
    theirs, fastest, other = float("inf"), float("inf"), float("inf")
    openvino = openvino_run(path, options.threads) if options.openvino else None
    for _ in range(options.rounds):
        for _ in range(5):
            start = time.perf_counter()
            expected = peer.run(None, feeds)
            theirs = min(theirs, 1e3 * (time.perf_counter() - start))
        for _ in range(5 if openvino else 0):
            start = time.perf_counter()
            openvino(feeds)
            other = min(other, 1e3 * (time.perf_counter() - start))
        time_ms, share, outputs = ours(options, path, feeds, scratch)
        fastest = min(fastest, time_ms)
    error = max(difference(outputs[given.name], value) for given, value in zip(peer.get_outputs(), expected))
    plain = session(path, options.threads, optimised=False).run(None, feeds)
    own = max(difference(a, b) for a, b in zip(plain, expected))
    beside = f" {other:.3g} |" if openvino else ""
    print(f"| {name} | {theirs:.3g} |{beside} {fastest:.3g} | **{theirs / fastest:.2f}** | {share:.1f} | {error:.0e} | {own:.0e} |", flush=True)
    return error, own


def main(description, title, default, export, bound):
    """Prints a table of `default`'s networks, or those named; `export(name, folder)` returns a file and its feeds, or None for noise. A difference counts that is
    above `bound(name)` and above four times what ONNX Runtime's optimisations make of its own result (random networks magnify roundings, selections take them for others)."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("networks"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--openvino", action="store_true", help="one more column")
    parser.add_argument("names", nargs="*")
    options = parser.parse_intermixed_args()
    options.build, options.folder = options.build.absolute(), options.folder.absolute()
    options.folder.mkdir(parents=True, exist_ok=True)
    print(f"{title}, ONNX Runtime {onnxruntime.__version__}, {options.threads} threads\n")
    beside = " OpenVINO ms |" if options.openvino else ""
    print(f"| network | ONNX Runtime ms |{beside} Ocelli ms | ratio | reference % | difference | its own |\n|---|---|{'---|' if beside else ''}---|---|---|---|---|", flush=True)
    good = True
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.names or default:
            try:
                path, feeds = export(name, options.folder)
                error, own = row(name, path, feeds, options, pathlib.Path(scratch))
                good = error <= max(bound(name), 4 * own) and good
            except Exception as problem:  # the next one may run
                print(f"| {name} | {type(problem).__name__}: {str(problem)[:300]!r} | | | | | |", flush=True)
                good = False
    sys.exit(0 if good else 1)
