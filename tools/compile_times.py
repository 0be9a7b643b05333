#!/usr/bin/env python3
"""What each public header costs the user: seconds and memory to compile a file that includes it alone, header-only.

    python3 tools/compile_times.py [--cxx g++] [--flags=-O2] [--header ocelli/nn.hpp]... [--runs 3]

Prints a Markdown table (the lowest of the runs), beside what the header's third-party includes cost by themselves. Linux.
"""
import argparse
import os
import pathlib
import re
import subprocess
import tempfile
import time

root = pathlib.Path(__file__).resolve().parent.parent


def compile_once(cxx, flags, source):
    start = time.perf_counter()
    child = subprocess.Popen([cxx, "-std=c++20", *flags, "-I", str(root / "include"), "-I", "/usr/include/eigen3", "-c", source,
                              "-o", os.devnull])
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{source} does not compile")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def third_party(header, seen):
    """The third-party headers that a header of ours reaches."""
    found = set()
    if header in seen:
        return found
    seen.add(header)
    for line in (root / "include" / header).read_text().splitlines():
        match = re.match(r"\s*#\s*include\s*<([^>]+)>", line)
        if not match:
            continue
        name = match.group(1)
        if name.startswith("ocelli/"):
            if (root / "include" / name).exists():
                found |= third_party(name, seen)
        elif "/" in name and not name.startswith("sys/"):
            found.add(name)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cxx", default="g++")
    parser.add_argument("--flags", default="-O2")
    parser.add_argument("--header", action="append")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    headers = options.header or sorted(str(p.relative_to(root / "include")) for p in (root / "include/ocelli").glob("*.hpp"))
    flags = options.flags.split()
    print(f"`{options.cxx} {options.flags}`, lowest of {options.runs}\n")
    print("| header | s | MB | of it third-party s |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "one.cpp")
        for header in headers:
            cost = []
            guarded = "".join(f"#if __has_include(<{h}>)\n#include <{h}>\n#endif\n" for h in sorted(third_party(header, set())))
            for text in (f"#include <{header}>\n", guarded):
                pathlib.Path(source).write_text(text)
                cost.append(min(compile_once(options.cxx, flags, source) for _ in range(options.runs)))
            print(f"| {header} | {cost[0][0]:.2f} | {cost[0][1]:.0f} | {cost[1][0]:.2f} |")


main()
