#!/usr/bin/env bash
# Installs what is missing, builds two examples and runs them: finding objects (pictures in detections/) and giving every pixel a class
# (pictures in segments/), with a table each on the console. Safe to repeat. Arguments choose one program and are handed to it:
#
#   tools/demo.sh
#   tools/demo.sh detect photo.jpg --preset ultraface --model version-RFB-320.onnx      ("detect" may be left out)
#   tools/demo.sh segment photo.jpg --model net.onnx --crf
set -euo pipefail
here=$(pwd)
cd "$(dirname "$0")/.."
programs=(detect segment)
case ${1:-} in
"") ;;
detect | segment) programs=("$1"); shift ;;
*) programs=(detect) ;;
esac
bash tools/install_dependencies.sh demo
echo "==> Building ${programs[*]} (the first time takes a minute or two)"
build=build/demo
log=$build/build.log
mkdir -p "$build"
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DOCELLI_BUILD_TESTS=OFF >"$log" 2>&1 || { tail -n 20 "$log"; exit 1; }
cmake --build "$build" --target "${programs[@]}" || exit 1
if [ ${#programs[@]} -eq 1 ]; then
  echo "==> Running build/demo/examples/${programs[0]} $*"
  program=$PWD/$build/examples/${programs[0]}
  cd "$here" && exec "$program" "$@"
fi
echo "==> Running build/demo/examples/detect"
"$build/examples/detect" --out detections
echo "==> Running build/demo/examples/segment"
"$build/examples/segment" --out segments
echo "==> Look at the pictures in $PWD/detections and $PWD/segments"
