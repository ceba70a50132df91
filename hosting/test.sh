#!/usr/bin/env bash
# Runs the tests of the managed hosting assembly: its own sources against a native side that is faked.
#
#   hosting/test.sh [NAME]        only the tests whose names contain NAME
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dotnet=${DOTNET_ROOT:+$DOTNET_ROOT/}dotnet

case $("$dotnet" --version) in
    3.*) framework=netcoreapp3.1 ;;
    *) framework=net$("$dotnet" --version | cut -d. -f1,2) ;;
esac
"$dotnet" build "$here/tests/Ancm.Hosting.Tests.csproj" -c Release -o "$here/tests/out" \
    -p:TargetFramework="$framework" -p:UseSharedCompilation=false -nodeReuse:false -nologo -v quiet >&2
exec "$dotnet" "$here/tests/out/Ancm.Hosting.Tests.dll" "$@"
