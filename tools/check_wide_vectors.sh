#!/usr/bin/env bash
# Fails when an object or library built without -m flags has an AVX register outside the functions compiled for AVX2 and AVX-512:
# such an instruction would stop a program on an older processor.
#
#   tools/check_wide_vectors.sh FILE...
set -euo pipefail
for file in "$@"; do
  objdump -d --no-show-raw-insn "$file" | awk -v file="$file" '
    # Dispatched functions carry 4avx2 or 6avx512 in their mangled names (namespaces of core/simd/for_each_target.hpp).
    /^[0-9a-f]+ <.*>:$/ { name = $2; functions++; dispatched = name ~ /(4avx2|6avx512)/; if (dispatched) wide_functions++ }
    /%[yz]mm[0-9]/ { if (dispatched) wide++; else if (!(name in reported)) { reported[name] = 1; print file ": " name " " $0; bad = 1 } }
    END {
      if (functions == 0 || wide == 0) { print file ": nothing to check: no functions, or no dispatched vector code"; exit 1 }
      if (!bad) printf "%s: %d functions, %d of them dispatched; no wide vector elsewhere\n", file, functions, wide_functions
      exit bad
    }'
done
