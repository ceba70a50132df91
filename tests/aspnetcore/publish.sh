#!/usr/bin/env bash
# Publishes the stock app, as a deployment would, once for each hosting model; and the full one.
#
#   tests/aspnetcore/publish.sh        prints the file to source and the folder of the published apps
#
# The folder holds `inprocess/` (what `dotnet publish` writes by default) and `outofprocess/`, both of the stock app, and
# `full/`, the app that uses more of its server, for in-process hosting.
# Publishes again only when the app's sources or the SDK have changed; what older sources gave stays for a week.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=common.sh
. "$here/common.sh"
env=$("$here/install.sh")
# shellcheck disable=SC1090 # written by install.sh
. "$env"

main() {
    lock publish
    local apps
    apps=$cache/apps/$(fingerprint)
    if [ ! -d "$apps" ]; then
        find "$cache/apps" -mindepth 1 -maxdepth 1 -mtime +7 -exec rm -rf {} + 2>/dev/null || true
        publish "$apps"
    fi
    printf '%s\n%s\n' "$env" "$apps"
}

fingerprint() {
    {
        dotnet --version
        cat "$here"/publish.sh "$here"/*App/*.cs "$here"/*App/*.csproj "$here"/FullApp/wwwroot/*
    } | cksum | cut -d' ' -f1
}

# publish FOLDER: it is there as a whole or not at all.
publish() {
    local apps=$cache/apps/unfinished
    rm -rf "$apps" "$cache/build"
    mkdir -p "$apps"
    mkdir "$cache/build"
    cp -R "$here"/*App "$cache/build"
    publish_as StockApp inprocess
    publish_as StockApp outofprocess -p:AspNetCoreHostingModel=OutOfProcess
    publish_as FullApp full
    rm -rf "$cache/build"
    mv "$apps" "$1"
}

# publish_as APP FOLDER [PROPERTY...]: no build server may outlive the publishing.
publish_as() {
    local project=$cache/build/$1/$1.csproj folder=$apps/$2
    shift 2
    dotnet publish "$project" -c Release -o "$folder" -p:TargetFramework="$(framework)" \
        -p:UseSharedCompilation=false -nodeReuse:false -nologo -v quiet "$@" >&2 9>&-
}

# The framework that the SDK brings along, so that nothing has to be restored.
framework() {
    local version
    version=$(dotnet --version)
    case $version in
        3.*) printf 'netcoreapp3.1' ;;
        *) printf 'net%s' "$(printf '%s' "$version" | cut -d. -f1,2)" ;;
    esac
}

main
