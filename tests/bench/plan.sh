#!/usr/bin/env bash
# How long `plan` and `--help` take, and how many calls a plan makes, against a served sandbox.
# Usage: tests/bench/plan.sh [BINARY]     (default: target/release/opsctl, else target/debug/opsctl)
set -euo pipefail
cd "$(dirname "$0")/../.."
binary=${1:-target/release/opsctl}
[ -x "$binary" ] || binary=target/debug/opsctl
state=$(mktemp -d)
trap 'kill "$server" 2>/dev/null; wait 2>/dev/null; rm -rf "$state"' EXIT
export OPSCTL_SANDBOX="$state/sandbox"
"$binary" sandbox serve --speed 1000 >"$state/env" 2>/dev/null &
server=$!
until [ -s "$state/env" ]; do read -rt 0.1 <> <(:) || :; done
"$binary" --sandbox bucket --yes -q >/dev/null

seconds() { # the median of nine runs
  for _ in 1 2 3 4 5 6 7 8 9; do
    start=$(date +%s%N); "$@" >/dev/null 2>&1 || :; end=$(date +%s%N)
    echo $(((end - start) / 1000000))
  done | sort -n | sed -n 5p
}
echo "opsctl --help:   $(seconds "$binary" --help) ms"
echo "opsctl check:    $(seconds "$binary" check) ms"
echo "opsctl plan:     $(seconds "$binary" --sandbox plan) ms"
"$binary" --sandbox bucket --yes -o json | tail -1
