#!/usr/bin/env bash
# Puts opsctl on the PATH of the job, from PyPI, unless it is there already.
set -euo pipefail

version=${OPSCTL_VERSION:-}
if [ -z "$version" ] && command -v opsctl >/dev/null; then
  opsctl --version
  exit 0
fi
if [ -n "$version" ] && ! [[ $version =~ ^[0-9]+(\.[0-9]+)*[a-z0-9.]*$ ]]; then
  echo "::error::version must be a version such as 1.2.3"
  exit 64
fi
folder=${RUNNER_TEMP:?}/opsctl-install
python3 -m venv --clear "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check "opsctl-ml${version:+==$version}"
echo "$folder/bin" >>"$GITHUB_PATH"
"$folder/bin/opsctl" --version
