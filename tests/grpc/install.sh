#!/usr/bin/env bash
# Finds a Python that has gRPC's own library, or makes one.
#
#   tests/grpc/install.sh              prints the path of the interpreter
#
# `python3` is used as it is where it has the library. Otherwise that comes from PyPI into a virtual environment in
# `.cache/grpc` (or beside what `ANCM_TEST_CACHE` names); a second run fetches nothing. Runs in parallel wait for each other.
set -euo pipefail

readonly PACKAGE=grpcio==1.85.1

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=$(dirname "${ANCM_TEST_CACHE:-$root/.cache/aspnetcore}")/grpc

say() { printf 'grpc: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
works() { "$1" -c 'import grpc' 2>/dev/null; }

command -v python3 >/dev/null || die "python3 is not there: install python3 and python3-venv"
if works python3; then
    command -v python3
    exit
fi
mkdir -p "$cache"
if command -v flock >/dev/null; then
    exec 9>"$cache/install.lock"
    flock 9
fi
if ! works "$cache/venv/bin/python"; then
    say "fetching $PACKAGE"
    python3 -m venv --clear "$cache/venv" || die "no virtual environment could be made: install python3-venv"
    "$cache/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: "$PACKAGE" >&2 ||
        die "pip could not fetch $PACKAGE"
fi
printf '%s\n' "$cache/venv/bin/python"
