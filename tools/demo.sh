#!/usr/bin/env bash
# Installs what is missing, builds the detection example and runs it: pictures in detections/, a table on the console.
# Safe to repeat. Options are handed to the example: tools/demo.sh photo.jpg --preset ultraface --model version-RFB-320.onnx
set -euo pipefail
here=$(pwd)
cd "$(dirname "$0")/.."
bash tools/install_dependencies.sh demo
echo "==> Building the example (the first time takes a minute or two)"
build=build/demo
log=$build/build.log
mkdir -p "$build"
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DOCELLI_BUILD_TESTS=OFF >"$log" 2>&1 || { tail -n 20 "$log"; exit 1; }
cmake --build "$build" --target detect || exit 1
echo "==> Running build/demo/examples/detect $*"
program=$PWD/$build/examples/detect
if [ $# -eq 0 ]; then
  "$program" --out detections
  echo "==> Look at the pictures in $PWD/detections"
else
  cd "$here" && "$program" "$@"
fi
