#!/usr/bin/env bash
# Installs what is missing, builds and runs all tests. Safe to repeat. The last line counts passed, failed and skipped.
#
#   tools/test.sh         the suite, and the projects under tests/consumer against a fresh install
#   tools/test.sh --ci    also Clang, the sanitizers and the fuzzers (60 seconds each), as the continuous integration runs it
set -euo pipefail
cd "$(dirname "$0")/.."
mode=${1:-}
[ -z "$mode" ] || [ "$mode" = --ci ] || { sed -n 2,6p "$0"; exit 2; }
started=$SECONDS
say() { printf '\n==> [%d s] %s\n' $((SECONDS - started)) "$*"; }
bash tools/install_dependencies.sh "$([ "$mode" = --ci ] && echo ci || echo test)"

passed=0 failed=0 skipped=0
results=build/results
mkdir -p "$results"

# attribute NAME FILE: of the JUnit file's outermost element
attribute() { sed -n "s/.*[[:space:]]$1=\"\([0-9]*\)\".*/\1/p" "$2" | head -n 1; }

# suite PRESET NAME [ctest options]: builds nothing, runs and counts
suite() {
  local preset=$1 name=$2 xml
  shift 2
  xml=$PWD/$results/$name.xml
  rm -f "$xml"
  ctest --test-dir "build/$preset" --output-on-failure --output-junit "$xml" -j "$(nproc)" "$@" || true
  [ -s "$xml" ] || { echo "$name: ctest wrote no result"; failed=$((failed + 1)); return; }
  local all bad skip
  all=$(attribute tests "$xml") bad=$(attribute failures "$xml") skip=$(attribute skipped "$xml")
  [ "$all" -gt 0 ] || { echo "$name: no test ran"; bad=1 all=1; }
  passed=$((passed + all - bad - skip)) failed=$((failed + bad)) skipped=$((skipped + skip))
  # What is skipped for want of the fixtures must not be skipped where they are.
  local fixtures=${OCELLI_FIXTURES:-../shared/fixtures}
  if [ -d "$fixtures" ] && grep -q 'fixtures folder absent' "$xml"; then
    echo "$name: a test did not find its fixtures although $fixtures exists"
    failed=$((failed + 1))
  fi
}

# build PRESET [targets]: a build that fails ends everything
build() {
  local preset=$1 log=build/$1.configure.log
  shift
  cmake --preset "$preset" >"$log" 2>&1 || { tail -n 30 "$log"; exit 1; }
  cmake --build --preset "$preset" -j "$(nproc)" ${1:+--target "$@"}
}

# Every fuzzer for a minute, as many at a time as there are processors; the log of one that fails is printed.
fuzz() {
  local fuzzer name found=$PWD/build/asan/found
  mkdir -p "$found"
  rm -f "$found"/*.status
  for fuzzer in build/asan/tests/fuzz/*_fuzz; do
    name=$(basename "$fuzzer")
    while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n || true; done
    mkdir -p "$found/$name"
    (
      status=0
      "$fuzzer" -seed=1 -max_total_time=60 -timeout=10 -rss_limit_mb=2048 -print_final_stats=0 -verbosity=0 \
        "$found/$name" "tests/fuzz/corpus/$name" >"$found/$name.log" 2>&1 || status=$?
      echo "$status" >"$found/$name.status"
    ) &
  done
  wait
  for status in "$found"/*.status; do
    name=$(basename "$status" .status)
    if [ "$(cat "$status")" = 0 ]; then echo "$name: clean" && passed=$((passed + 1)); else
      tail -n 60 "$found/$name.log"
      echo "FAILED: $name"
      failed=$((failed + 1))
    fi
  done
}

say "Building the tests"
build release
say "Running the tests"
suite release release

if [ "$mode" = --ci ]; then
  # The sanitizers' run is Clang's too and has every test: here are what optimising may change and the headers by themselves.
  say "Clang, optimised: the tests of each instruction set and the header-only program"
  build clang ocelli_isa_tests ocelli_header_only_alone readme
  suite clang clang -L 'per_isa|header_only'
  say "Address and undefined-behaviour sanitizers"
  build asan
  suite asan asan -LE 'consumer|slow'
  say "Fuzzers (one seed: a run can be repeated; run them with others to find more)"
  fuzz
  say "Thread sanitizer"
  build tsan ocelli_thread_tests
  # Threads are the same for every instruction set: one of them is enough.
  grep -q avx512f /proc/cpuinfo 2>/dev/null && others='baseline|avx2' || others='avx2|avx512'
  suite tsan tsan -L threads -E "\\.($others)\$"
fi

say "Done"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
