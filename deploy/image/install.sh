#!/bin/sh
# Installs the worker, and nothing that it does not need, into a virtual environment of its own:
#
#   deploy/image/install.sh FOLDER [cuda|cpu]
#
# The image's build stage runs this; it runs without Docker just as well.
# requirements-worker.lock names what a worker needs, requirements.lock holds the hashes.
set -eu

target=$1
torch=${2:-cuda}
root=$(cd "$(dirname "$0")/../.." && pwd)
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT

python3 -m venv "$tools/venv"
"$tools/venv/bin/pip" install --quiet --require-hashes -r "$root/requirements-build.lock"
uv=$tools/venv/bin/uv
python3 -m venv --without-pip "$target"

# Read-only images cannot keep what Python compiles at the first import.
install() { "$uv" pip install --quiet --python "$target/bin/python" --compile-bytecode "$@"; }

case $torch in
cuda) cp "$root/requirements-worker.lock" "$tools/packages" ;;
cpu)
  # The index that the lock was made from holds torch for CUDA alone. Builds without it have other
  # hashes and come from elsewhere; uv knows from where.
  grep -Ev '^(torch|torchvision|triton|cuda-[a-z]+|nvidia-[a-z0-9-]+)==' \
    "$root/requirements-worker.lock" >"$tools/packages"
  grep -E '^(torch|torchvision)==' "$root/requirements-worker.lock" >"$tools/torch"
  if [ -f "$root/deploy/image/torch-cpu.lock" ]; then # yours, with hashes
    install --no-deps --require-hashes --torch-backend cpu -r "$root/deploy/image/torch-cpu.lock"
  else
    install --no-deps --torch-backend cpu -r "$tools/torch"
  fi
  ;;
*)
  echo "install.sh: TORCH is '$torch'; expected cuda or cpu" >&2
  exit 2
  ;;
esac
install --no-deps --require-hashes -r "$tools/packages" -c "$root/requirements.lock"

"$uv" build --quiet --wheel --require-hashes --build-constraints "$root/requirements-build.lock" \
  --out-dir "$tools/wheel" "$root"
install --no-deps "$tools"/wheel/*.whl
