"""What the scripts that time a benchmark program beside its peers share: their options, a run of the program, a timed call.

Import it before the peers: the number of threads must be in the environment when their libraries load.
"""

import argparse
import os
import pathlib
import subprocess
import time

parser = argparse.ArgumentParser()
parser.add_argument("build", type=pathlib.Path)
parser.add_argument("--threads", type=int, nargs="+", default=[1])
parser.add_argument("--isa", nargs="+", default=[""], choices=("baseline", "avx2", "avx512"))
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("words", nargs="*")
args = parser.parse_intermixed_args()
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # read when the libraries load
    os.environ[name] = str(max(args.threads))


def ours(program, case, threads, isa, save=None):
    command = [args.build / "benchmarks" / program, "--threads", str(threads), case]
    if save:
        command[3:3] = ["--save", save]
    environment = dict(os.environ, OCELLI_ISA=isa) if isa else None
    lines = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.splitlines()
    rows = (line.split("\t") for line in lines)
    return {row[1]: float(row[3]) for row in rows if row[0] == case}


def timed(call, budget=0.5):
    """The lowest time in milliseconds of at least 3 runs."""
    times, end = [], time.perf_counter() + budget
    while len(times) < 3 or (len(times) < 1000 and time.perf_counter() < end):
        start = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start))
    return min(times)
