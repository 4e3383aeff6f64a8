#!/usr/bin/env bash
# Records what opsctl sends and holds it against botocore's newest models: tests/bench/models/run.sh [OPSCTL]
# The shipped project is deployed, used by every command and destroyed, on a sandbox that really trains; then a config
# at AWS's limits is deployed, whose jobs do not run to their end. Prints operations, requests and violations.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
opsctl=$(realpath "${1:-$here/../../../target/debug/opsctl}")
work=$(mktemp -d)
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check botocore==1.44.8 jmespath==1.1.0 \
  python-dateutil==2.9.0.post0 regex==2026.11.15 six==1.17.0 urllib3==2.8.0
cp -r "$here/../../../config" "$work/config"
cd "$work"
port=$((20000 + RANDOM % 10000))
OPSCTL_SANDBOX=$work/state "$opsctl" sandbox serve --port $port --speed 60 >serve.log 2>&1 &
serve=$!
python3 "$here/tap.py" $((port + 1)) $port requests.jsonl &
trap 'kill $serve $!' EXIT
until (: </dev/tcp/127.0.0.1/$port && : </dev/tcp/127.0.0.1/$((port + 1))) 2>/dev/null; do :; done
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1
run() {
  local status=0
  "$opsctl" --endpoint-url "http://127.0.0.1:$((port + 1))" -c "config/$1.toml" "${@:2}" >last.log 2>&1 </dev/null || status=$?
  echo "$1 ${*:2}: exit $status"
}
run opsctl plan
run opsctl deploy --yes
run opsctl status
run opsctl upload --verify --yes
run opsctl invoke
run opsctl invoke --endpoint numbers
run opsctl scale numbers --min 2 --max 3 --target 500 --yes
run opsctl scale classify --provisioned-concurrency 1 --yes
for verb in stop start; do run opsctl notebook $verb --yes; done
run opsctl notebook url
for of in training/numbers training/numbers-on-ec2 endpoint/numbers function/classify notebook/lab; do run opsctl logs $of; done
run opsctl data pull --to pulled
run opsctl model pull numbers --to model.tar.gz
run opsctl audit-iam
run opsctl audit-iam --usage-from-aws
run opsctl lease show
sed -i 's/"ml.m5.large"/"ml.c5.large"/; s/memory_mb  *= 128/memory_mb = 256/; s/volume_gb     = 5 /volume_gb = 6 /' config/opsctl.toml
run opsctl deploy --prune --yes
run opsctl destroy --yes
python3 "$here/extreme.py" config/extreme.toml
run extreme check
run extreme deploy --yes
run extreme destroy --yes
"$work/venv/bin/python" "$here/check.py" requests.jsonl >said.json
python3 - <<'PY'
import json
said = json.load(open("said.json"))
print(f"botocore {said['botocore']}: {len(said['operations'])} operations, {said['requests']} requests, {len(said['violations'])} violations")
print("\n".join(said["violations"]))
PY
