#!/usr/bin/env bash
# Compiles and runs tests header-only against other releases of xtensor and Eigen than the system's, and prints a table.
#
#   tools/test_pairs.sh --xtl DIR [--xtensor NAME=DIR]... [--eigen NAME=DIR]... [--cxx COMPILER]... [--test PATH]...
#
# DIR is a folder to include from: of xtl and xtensor the one that holds xtl/ and xtensor/, of Eigen the one that holds Eigen/.
# xtensor moved its headers in 0.26 and needs C++20 from 0.27 on; 0.27's own headers do not compile with Clang 14.
set -uo pipefail
cd "$(dirname "$0")/.."
xtl= xtensors=() eigens=() compilers=() tests=()
while [ $# -gt 1 ]; do
  case $1 in
  --xtl) xtl=$2 ;;
  --xtensor) xtensors+=("$2") ;;
  --eigen) eigens+=("$2") ;;
  --cxx) compilers+=("$2") ;;
  --test) tests+=("$2") ;;
  *) sed -n 2,8p "$0"; exit 2 ;;
  esac
  shift 2
done
[ ${#xtensors[@]} -gt 0 ] || xtensors=(system=)
[ ${#eigens[@]} -gt 0 ] || eigens=(system=/usr/include/eigen3)
[ ${#compilers[@]} -gt 0 ] || compilers=(g++ clang++)
[ ${#tests[@]} -gt 0 ] || tests=(core/tensor interop/eigen boxes/iou boxes/nms nn/session)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
bad=0
printf '%-10s %-10s %-10s %s\n' compiler xtensor eigen result
for cxx in "${compilers[@]}"; do
  for x in "${xtensors[@]}"; do
    for e in "${eigens[@]}"; do
      result=
      includes=(-I include -I tests -isystem "${e#*=}")
      [ -z "${x#*=}" ] || includes+=(-isystem "${x#*=}" -isystem "$xtl")
      for test in "${tests[@]}"; do
        program=$out/program
        if ! "$cxx" -std=c++20 -O1 -Wall -Wextra "${includes[@]}" -DOCELLI_GOLDEN_DIR='"tests/golden"' \
          -DOCELLI_SOURCE_DIR="\"$PWD\"" -DOCELLI_EXAMPLES_DIR='"examples"' \
          "tests/${test}_test.cpp" tests/support/main.cpp -o "$program" -pthread >"$out/log" 2>&1; then
          result+=" $test:does-not-compile"
          grep -m1 -E 'error' "$out/log" >&2
          bad=1
        else
          "$program" >"$out/log" 2>&1
          status=$?
          case $status in
          0) result+=" $test:ok" ;;
          77) result+=" $test:skipped" ;;
          *) result+=" $test:fails" bad=1 ;;
          esac
        fi
      done
      printf '%-10s %-10s %-10s %s\n' "$cxx" "${x%%=*}" "${e%%=*}" "$result"
    done
  done
done
exit $bad
