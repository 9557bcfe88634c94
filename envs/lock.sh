#!/usr/bin/env bash
# Writes envs/lock.txt: the exact versions that are tested, each with the hashes of its files, for
# every Python and machine that pyproject.toml allows on Linux. `make lock` calls it.
#
# Versions that the lock has and pyproject.toml still allows stay; what is removed from the file
# before becomes the newest. torch's own are in envs/torch.txt, and what only its builds for CUDA need
# is left to them. No address: which index a package comes from is the machine's affair.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly OF_CUDA_BUILDS=(
    cuda-bindings cuda-toolkit nvidia-cudnn-cu13 nvidia-cusparselt-cu13 nvidia-nccl-cu13
    nvidia-nvshmem-cu13 triton
)

.venv/bin/uv pip compile --quiet pyproject.toml --extra dev --constraints envs/torch.txt \
    --universal --python-version 3.11 --generate-hashes --no-annotate \
    --no-emit-package torch --no-emit-package torchvision \
    --excludes <(printf '%s\n' "${OF_CUDA_BUILDS[@]}") \
    --custom-compile-command 'make lock' --output-file envs/lock.txt
