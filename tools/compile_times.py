#!/usr/bin/env python3
"""What each public header costs the user: seconds and memory to compile a program that includes it.

    python3 tools/compile_times.py [--cxx g++] [--flags=-O2] [--header ocelli/nn.hpp]... [--runs 3] [--no-session]

Prints a Markdown table, the lowest of the runs in seconds of processor time: header-only, and with ocelli::compiled (declarations alone). The
last row is a program that reads a network and runs it, which the header's row is not: bodies that nobody calls are parsed, not compiled. Linux.
"""
import argparse
import os
import pathlib
import subprocess
import tempfile

root = pathlib.Path(__file__).resolve().parent.parent

session = """#include <ocelli/nn.hpp>

int main(int, char** arguments) {
    const auto net = ocelli::nn::session(ocelli::nn::read_onnx(arguments[1]));
    const xt::xtensor<float, 4> image = xt::zeros<float>({1, 3, 224, 224});
    const auto out = net.run({{net.inputs()[0].name, image}});
    return out.size() == net.outputs().size() ? 0 : 1;
}
"""


def compile_once(cxx, flags, source):
    child = subprocess.Popen([cxx, "-std=c++20", *flags, "-I", str(root / "include"), "-isystem", "/usr/include/eigen3", "-c", source,
                              "-o", os.devnull])
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{source} does not compile")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cxx", default="g++")
    parser.add_argument("--flags", default="-O2")
    parser.add_argument("--header", action="append")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-session", action="store_true")
    options = parser.parse_args()
    headers = options.header or sorted(str(p.relative_to(root / "include")) for p in (root / "include/ocelli").glob("*.hpp"))
    programs = [(f"`{h}`", f"#include <{h}>\n") for h in headers]
    if not options.no_session:
        programs.append(("a program that runs a session", session))
    flags = options.flags.split()
    print(f"`{options.cxx} {options.flags}`, lowest of {options.runs}\n")
    print("| | header-only, s | MB | with `ocelli::compiled`, s | MB |\n|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "one.cpp")
        for name, text in programs:
            pathlib.Path(source).write_text(text)
            cells = []
            for more in ([], ["-DOCELLI_COMPILED=1"]):
                runs = [compile_once(options.cxx, flags + more, source) for _ in range(options.runs)]
                cells.append(f"{min(r[0] for r in runs):.1f} | {max(r[1] for r in runs):.0f}")
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


main()
