#!/bin/bash
# Bring what no package of Python's can: `setup.sh venv DIR` makes the virtual environment with uv in it,
# `setup.sh browser` Debian's Chromium. apt is used where it may be; elsewhere one line says what to install.
set -euo pipefail

die() { echo "error: $*" >&2; exit 2; }

apt_install() {
  local as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null && sudo -n true 2>/dev/null || die "install these first, then run again: apt-get install $*"
    as_root=(sudo -n)
  fi
  command -v apt-get >/dev/null || die "install these first, then run again: $*"
  echo "installing $*"
  { "${as_root[@]}" apt-get update -qq \
    && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } >/dev/null \
    || die "apt-get could not install $*: install them by hand, then run again"
}

find_python() {
  local candidate
  for candidate in python3.12 python3.11 python3; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  return 1
}

case "${1:-}" in
  venv)
    python=$(find_python) || { apt_install python3 python3-venv && python=$(find_python); } || die "Python 3.11 or 3.12 is needed"
    "$python" -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv
    "$python" -m venv "$2"
    "$2/bin/python" -m pip install -q --disable-pip-version-check "uv>=0.9,<1"
    ;;
  browser)
    command -v chromium >/dev/null && command -v chromedriver >/dev/null || apt_install chromium chromium-driver
    ;;
  *)
    die "usage: setup.sh venv DIR | browser"
    ;;
esac
