#!/usr/bin/env bash
# Builds the managed hosting assembly with nothing but a .NET SDK (3.1 or newer); nothing is restored from a feed.
#
#   hosting/build.sh [FOLDER]        writes FOLDER/Ancm.Hosting.dll (hosting/out by default) and prints its path
#
# The SDK is the one of `DOTNET_ROOT`, else of `PATH`. Two builds by one SDK are equal byte for byte.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-$here/out}
dotnet=${DOTNET_ROOT:+$DOTNET_ROOT/}dotnet

command -v "$dotnet" >/dev/null || {
    printf 'hosting: a .NET SDK is needed: put `dotnet` on PATH, or set DOTNET_ROOT\n' >&2
    exit 1
}

# An SDK newer than 3.1 does not carry the 3.1 reference assemblies, so it builds for its own framework.
case $("$dotnet" --version) in
    3.*) framework=netcoreapp3.1 ;;
    *) framework=net$("$dotnet" --version | cut -d. -f1,2) ;;
esac

# No build server may outlive the build.
"$dotnet" build "$here/Ancm.Hosting.csproj" -c Release -o "$out" -p:TargetFramework="$framework" \
    -p:UseSharedCompilation=false -nodeReuse:false -nologo -v quiet >&2
printf '%s\n' "$out/Ancm.Hosting.dll"
