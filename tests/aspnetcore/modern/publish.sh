#!/usr/bin/env bash
# Publishes both apps for .NET 9, built against its assemblies and started as its templates start an app.
#
#   tests/aspnetcore/modern/publish.sh        prints the file to source and the folder of the published apps
#
# The folder is as ../publish.sh makes it, whose sources these are but for `Program.cs`, with the older build of the full app
# besides: `older/`.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=../common.sh
. "$here/../common.sh"
{ read -r sdk && read -r older; } < <("$here/../publish.sh")
modern=$("$here/install.sh")

main() {
    lock publish-modern
    # shellcheck disable=SC1090 # written by the script
    home=$(. "$modern" && printf '%s' "$DOTNET_ROOT")
    local apps
    apps=$cache/apps-modern/$(fingerprint)
    if [ ! -d "$apps" ]; then
        find "$cache/apps-modern" -mindepth 1 -maxdepth 1 -mtime +7 -exec rm -rf {} + 2>/dev/null || true
        publish "$apps"
    fi
    printf '%s\n%s\n' "$modern" "$apps"
}

fingerprint() {
    {
        printf '%s %s %s\n' "$home" "$sdk" "$older"
        cat "$here"/*.sh "$here"/*.js* "$here"/*/*.cs
    } | cksum | cut -d' ' -f1
}

# publish FOLDER: it is there as a whole or not at all.
publish() {
    local made=$cache/apps-modern/unfinished
    rm -rf "$made"
    mkdir -p "$made"
    publish_as StockApp inprocess
    publish_as StockApp outofprocess
    publish_as FullApp full
    cp -R "$older/full" "$made/older"
    mv "$made" "$1"
}

# publish_as APP FOLDER: what is no code is taken as the older build has it.
publish_as() {
    local folder=$made/$2 app=$1 shared
    cp -R "$older/$2" "$folder"
    mapfile -t shared < <(printf '%s\n' "$here/../$app"/*.cs | grep -v '/Program.cs$')
    "$here/compile.sh" exe "$folder/$app.dll" "$here/$app"/*.cs "${shared[@]}"
    rm "$folder/$app.pdb"
    sed "s/APP/$app/g" "$here/deps.json" >"$folder/$app.deps.json"
    cp "$here/runtimeconfig.json" "$folder/$app.runtimeconfig.json"
    node "$here/launcher.js" "$home/host/apphost" azmcp.dll "$app.dll" "$folder/$app"
}

main
