#!/usr/bin/env bash
# Opens reports in headless Chromium (see check.js). Needs Node 20, npm and Debian's package `chromium`, or another browser
# of its kind in $CHROMIUM.
#
#   tests/report/run.sh PICTURES REPORT.html…
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
packages=$(cd "$here/../.." && pwd)/target/report-check
mkdir -p "$packages"
cp "$here/package.json" "$here/check.js" "$packages/"
(cd "$packages" && npm install --no-audit --no-fund --silent)
node "$packages/check.js" "$@"
