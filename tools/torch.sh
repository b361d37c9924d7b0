# shellcheck shell=bash
# Sourced by ./check: torch for the trainer's tests, as a build for the CPU where one can be had.
#
# It stands outside the lock file: the registry's own Linux build brings gigabytes of CUDA, which no test needs, and
# the CPU build lives in an index of its own that is not everywhere within reach.

TORCH_VERSION=2.13.0
TORCH_CPU_INDEX=https://download.pytorch.org/whl/cpu

torch_pip() { .venv/bin/python -m pip "$@"; }

# cpu_build_at_hand: whether pip, as it is set up here, would take a build for the CPU (a local wheel, a mirror).
cpu_build_at_hand() {
  local report
  report="$(torch_pip install --quiet --dry-run --ignore-installed --no-deps --retries 1 --report - \
    "torch==$TORCH_VERSION" 2>/dev/null)" || return 1
  grep -q "\"version\": \"$TORCH_VERSION+cpu\"" <<<"$report"
}

need_torch() {
  .venv/bin/python -c 'import torch' >/dev/null 2>&1 && return 0
  .venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip --upgrade >/dev/null
  say "Installing torch $TORCH_VERSION ..."
  if [ "$(uname -s)" != Linux ] || cpu_build_at_hand; then
    torch_pip install --quiet "torch==$TORCH_VERSION" && return 0
  fi
  torch_pip install --quiet --retries 0 --timeout 15 --index-url "$TORCH_CPU_INDEX" "torch==$TORCH_VERSION" && return 0
  say "No build for the CPU is within reach; taking the registry's own (large)."
  torch_pip install --quiet "torch==$TORCH_VERSION" || say "torch could not be installed; the trainer's tests will say so."
}
