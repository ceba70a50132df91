#!/usr/bin/env bash
# Compiles against the assemblies of .NET 9, with the compiler of the SDK that there is: its own targets know no framework that
# is newer than itself.
#
#   tests/aspnetcore/modern/compile.sh exe|library OUT SOURCE...
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=$1
out=$2
shift 2
# shellcheck disable=SC1090 # written by the script
home=$(. "$("$here/install.sh")" && printf '%s' "$DOTNET_ROOT")
# shellcheck disable=SC1090 # written by the script
. "$("$here/../install.sh")"
compiler=$(printf '%s\n' "$DOTNET_ROOT"/sdk/*/Roslyn/bincore/csc.dll | sort -V | tail -n 1)
references=("$home"/shared/*/*/*.dll)
dotnet "$compiler" -noconfig -nologo -nostdlib -optimize -unsafe -langversion:8.0 -nullable:enable -nowarn:nullable,CS0649,CS0618 \
    -target:"$target" -out:"$out" "${references[@]/#/-r:}" "$@" >&2
