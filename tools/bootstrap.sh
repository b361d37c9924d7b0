# shellcheck shell=bash
# Sourced by ./play and ./check: brings a bare machine to the point where `.venv/bin/python` can run the program.
#
# It installs only what is missing, says what it does, and never stops for a thing that may yet work: a package that
# cannot be installed is named, with the command that would do it, and the start goes on.

set -euo pipefail
STARTED_IN="$PWD"
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$ROOT"

# What the program links to. synth_app/app/doctor.py names the same libraries; a test keeps the two lists equal.
PLAY_PACKAGES=(
  ca-certificates
  libportaudio2
  libegl1 libgl1 libglib2.0-0 libfontconfig1 libdbus-1-3 libxkbcommon-x11-0
  libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0
  fonts-dejavu-core
)
# What the tests drive it with: a sound server and a screen that need no hardware, the bus screen readers listen to, and
# the trainer's soundfont player.
CHECK_PACKAGES=(jackd2 xvfb xauth xdotool dbus at-spi2-core libfluidsynth3)

OLDEST_UV=0.5.0

say() { printf '%s\n' "$*" >&2; }

# installed NAME: whether Debian's package is there, under this name or under the one it took with 64-bit time.
installed() {
  local states
  states="$(dpkg-query -W -f '${db:Status-Status}\n' "$1" "${1}t64" 2>/dev/null)" || true  # one name is unknown to it
  grep -qx installed <<<"$states"
}

# available NAME: prints the name under which apt can install the package now; fails when it has none.
available() {
  local name policy
  for name in "$1" "${1}t64"; do
    policy="$(apt-cache policy "$name" 2>/dev/null)"
    if grep -q 'Candidate: [^(]' <<<"$policy"; then
      printf '%s\n' "$name"
      return 0
    fi
  done
  return 1
}

# may_install NAME...: sets SUDO to what must stand before apt-get; fails when this user may not install, or says no.
may_install() {
  SUDO=()
  [ "$(id -u)" -eq 0 ] && return 0
  if ! command -v sudo >/dev/null 2>&1 || [ ! -t 0 ]; then
    return 1
  fi
  say "These system packages are missing: $*"
  local answer
  read -r -p "Install them with sudo? [Y/n] " answer || answer=n
  case "$answer" in
    '' | [yY]*) SUDO=(sudo) ;;
    *) return 1 ;;
  esac
}

# need_packages NAME...: installs the missing ones of Debian's packages, or names them and goes on.
need_packages() {
  local name found_name missing=() found=()
  if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-query >/dev/null 2>&1; then
    [ "$(uname -s)" = Linux ] || return 0
    say "This system has no apt-get. If something is missing below, install your system's counterparts of: $*"
    return 0
  fi
  for name in "$@"; do
    installed "$name" || missing+=("$name")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if ! may_install "${missing[@]}"; then
    say "Going on without these system packages: ${missing[*]}"
    say "To install them: sudo apt-get install --no-install-recommends ${missing[*]}"
    return 0
  fi
  say "Installing system packages: ${missing[*]}"
  local apt=("${SUDO[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120)
  "${apt[@]}" update >/dev/null || say "apt-get could not refresh its lists; trying with those at hand."
  for name in "${missing[@]}"; do
    if found_name="$(available "$name")"; then found+=("$found_name"); else say "apt has no package $name; going on."; fi
  done
  [ ${#found[@]} -gt 0 ] || return 0
  "${apt[@]}" install -y --no-install-recommends "${found[@]}" >/dev/null ||
    say "apt-get could not install all of: ${found[*]}; going on."
}

# python_packages: what it takes to make the private tool environment below, when that is needed at all.
python_packages() {
  uv_on_path && return 0
  python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || printf 'python3\npython3-venv\n'
}

# uv_on_path: whether PATH offers a uv that reads our lock file.
uv_on_path() {
  command -v uv >/dev/null 2>&1 || return 1
  local version
  version="$(uv --version 2>/dev/null | cut -d' ' -f2)" || return 1
  [ -n "$version" ] && [ "$(printf '%s\n' "$OLDEST_UV" "$version" | sort -V | head -n1)" = "$OLDEST_UV" ]
}

# find_uv: sets UV, making a private environment for it under .uv/ when PATH offers none.
find_uv() {
  if uv_on_path; then
    UV="$(command -v uv)"
    return 0
  fi
  UV="$ROOT/.uv/bin/uv"
  [ -x "$UV" ] && "$UV" --version >/dev/null 2>&1 && return 0
  if ! command -v python3 >/dev/null 2>&1; then
    say "Neither uv nor python3 is here. Install one of them (https://docs.astral.sh/uv) and start again."
    return 1
  fi
  say "Installing uv into .uv/ ..."
  python3 -m venv --clear "$ROOT/.uv" && "$ROOT/.uv/bin/python" -m pip install --quiet --disable-pip-version-check uv
}

# sync_venv ARGUMENTS...: makes .venv what the lock file says. What else was installed there (torch) stays.
sync_venv() {
  # uv brings certificates of its own; the system's are the ones an administrator has looked after.
  if [ -z "${SSL_CERT_FILE:-}" ] && [ -r /etc/ssl/certs/ca-certificates.crt ]; then
    export SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
  fi
  local how=(--compile-bytecode)  # once: without it the first starts of the program take seconds longer
  if [ -x .venv/bin/python ]; then how=(--quiet); else say "Setting up .venv (once; some minutes on a slow line) ..."; fi
  env -u VIRTUAL_ENV UV_PROJECT_ENVIRONMENT="$ROOT/.venv" "$UV" sync --locked --inexact "${how[@]}" "$@"
}

# bootstrap PACKAGE... -- SYNC_ARGUMENT...: all of the above.
bootstrap() {
  local packages=()
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    packages+=("$1")
    shift
  done
  [ $# -eq 0 ] || shift
  mapfile -t -O "${#packages[@]}" packages < <(python_packages)
  need_packages "${packages[@]}"
  find_uv
  sync_venv "$@"
}
