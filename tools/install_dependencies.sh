#!/usr/bin/env bash
# Installs what Ocelli's own programs and tests need, from the system's package manager; does nothing, and needs no root, when
# nothing is missing. Debian 12 and newer, Ubuntu 24.04 and newer.
#
#   tools/install_dependencies.sh [demo|test|ci]
set -euo pipefail
purpose=${1:-test}

say() { printf '\n==> %s\n' "$*"; }
die() { printf '\nocelli: %s\n' "$*" >&2; exit 1; }

packages=(g++ cmake ninja-build libeigen3-dev libxtensor-dev libprotozero-dev nlohmann-json3-dev libstb-dev libcli11-dev)
case $purpose in
demo) ;;
test) packages+=(doctest-dev binutils) ;;
ci) packages+=(doctest-dev binutils clang libclang-rt-14-dev libbenchmark-dev) ;;
*) die "unknown purpose '$purpose': expected demo, test or ci" ;;
esac

if ! command -v dpkg-query >/dev/null; then
  # Another system: the build itself says what it misses.
  command -v cmake >/dev/null || die "no cmake found. On this system install by hand: a C++20 compiler (GCC 12, Clang 14 or newer), cmake 3.22 or newer, ninja, Eigen, xtensor, protozero, nlohmann-json, stb, CLI11, doctest."
  exit 0
fi

. /etc/os-release
case ${ID:-} in
debian) least=12 ;;
ubuntu) least=24.04 ;;
*) least= ;;
esac
if [ -n "$least" ] && [ -n "${VERSION_ID:-}" ] && ! dpkg --compare-versions "$VERSION_ID" ge "$least"; then
  die "${PRETTY_NAME:-$ID $VERSION_ID} is too old: its compiler, xtensor or protozero do not suffice. Ocelli's scripts need Debian 12, Ubuntu 24.04 or newer."
fi

# Debian names the sanitizer and fuzzer runtimes after Clang's version.
if [ "$purpose" = ci ] && [ "${ID:-}:${VERSION_ID:-}" != debian:12 ]; then
  packages=("${packages[@]/libclang-rt-14-dev/libclang-rt-dev}")
fi

missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | cut -c1-2)" = ii ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

say "Installing: ${missing[*]}"
root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || die "these packages are missing and need root to install: ${missing[*]}"
  root=(sudo)
fi
log=$(mktemp)
export DEBIAN_FRONTEND=noninteractive
{ "${root[@]}" apt-get update -q && "${root[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 ||
  { tail -n 20 "$log"; die "apt-get could not install: ${missing[*]} (log: $log)"; }
rm -f "$log"
