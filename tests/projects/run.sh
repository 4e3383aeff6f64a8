#!/usr/bin/env bash
# The projects whose packages are too large for CI (scikit-learn, XGBoost), trained, served and asked in the sandbox.
#
#   tests/projects/run.sh [OPSCTL] [PROJECT…]
#
# OPSCTL is the program, ./target/debug/opsctl by default. Takes minutes and a gigabyte, of PyPI's.
set -euo pipefail
cd "$(dirname "$0")"
opsctl=$(realpath "${1:-../../target/debug/opsctl}")
shift || true
[ $# -gt 0 ] || set -- sklearn xgboost
for project in "$@"; do
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    cp -r "$project/." "$work"
    export OPSCTL_SANDBOX="$work/.sandbox" OPSCTL_SANDBOX_IDLE=0s
    cd "$work"
    "$opsctl" --sandbox deploy --yes
    case $project in
        # Two rows: of one, AWS's container makes a vector, which scikit-learn refuses.
        sklearn) "$opsctl" --sandbox invoke --payload $'5.1,3.5,1.4,0.2\n6.7,3.1,4.7,1.5' --content-type text/csv ;;
        xgboost) "$opsctl" --sandbox invoke --file data/abalone.libsvm ;;
    esac
    "$opsctl" --sandbox destroy --yes
    cd - >/dev/null
done
