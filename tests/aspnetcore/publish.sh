#!/usr/bin/env bash
# Publishes the stock app, as a deployment would, once for each hosting model.
#
#   tests/aspnetcore/publish.sh        prints the file to source and the folder of the published apps
#
# The folder holds `inprocess/` (what `dotnet publish` writes by default) and `outofprocess/`.
# Publishes again only when the app's sources or the SDK have changed.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
env=$("$here/install.sh")
# shellcheck disable=SC1090 # written by install.sh
. "$env"
cache=$(dirname "$env")
apps=$cache/apps

main() {
    if command -v flock >/dev/null; then
        exec 9>"$cache/publish.lock"
        flock 9
    fi
    local stamp
    stamp=$(fingerprint)
    if [ "$(cat "$apps/stamp" 2>/dev/null)" != "$stamp" ]; then
        publish
        printf '%s\n' "$stamp" >"$apps/stamp"
    fi
    printf '%s\n%s\n' "$env" "$apps"
}

fingerprint() {
    dotnet --version
    cat "$here"/publish.sh "$here"/StockApp/*.cs "$here"/StockApp/*.csproj | cksum
}

publish() {
    rm -rf "$apps" "$cache/build"
    mkdir -p "$apps"
    cp -R "$here/StockApp" "$cache/build"
    publish_as inprocess
    publish_as outofprocess -p:AspNetCoreHostingModel=OutOfProcess
    rm -rf "$cache/build"
}

# publish_as FOLDER [PROPERTY...]: no build server may outlive the publishing.
publish_as() {
    local folder=$apps/$1
    shift
    dotnet publish "$cache/build/StockApp.csproj" -c Release -o "$folder" -p:TargetFramework="$(framework)" \
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
