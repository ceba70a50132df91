#!/bin/sh
# Runs every fuzz target, or those that are named, for some seconds each: fuzz/run.sh [-s SECONDS] [TARGET…]
#
# Each begins with its seeds and what it learnt before (fuzz/corpus). What breaks something is written to
# fuzz/artifacts/TARGET, the others still run, and the script ends with 1. A stable compiler is told to behave as a nightly
# one, which the sanitizer needs.
set -eu
cd "$(dirname "$0")"

seconds=180
if [ "${1-}" = -s ]; then
    seconds=$2
    shift 2
fi
if [ $# -eq 0 ]; then
    for file in fuzz_targets/*.rs; do
        set -- "$@" "$(basename "$file" .rs)"
    done
fi

command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
export RUSTC_BOOTSTRAP=1
failed=''
for target; do
    mkdir -p "corpus/$target"
    cargo fuzz run "$target" "corpus/$target" "seeds/$target" -- \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=8192 -print_final_stats=1 ||
        failed="$failed $target"
done
if [ -n "$failed" ]; then
    echo "broken:$failed; the inputs are in fuzz/artifacts" >&2
    exit 1
fi
