#!/bin/bash
# opsctl: stop this notebook instance after {{idle_seconds}} seconds without a busy kernel.
# AWS runs this as root at each start and gives it five minutes, so it only installs a cron job.
set -eu
cat > /usr/local/bin/opsctl-idle-stop <<'PY'
#!/usr/bin/env python3
import datetime, json, ssl, subprocess, urllib.request

IDLE = {{idle_seconds}}
now = datetime.datetime.now(datetime.timezone.utc)
with open("/opt/ml/metadata/resource-metadata.json") as f:
    name = json.load(f)["ResourceName"]
with open("/proc/uptime") as f:
    if float(f.read().split()[0]) < IDLE:
        raise SystemExit  # nobody had the time to open it yet
context = ssl._create_unverified_context()  # the server's certificate is its own; this is loopback
with urllib.request.urlopen("https://localhost:8443/api/sessions", context=context, timeout=10) as answer:
    sessions = json.load(answer)


def idle(kernel):
    last = datetime.datetime.fromisoformat(kernel["last_activity"].replace("Z", "+00:00"))
    return kernel["execution_state"] != "busy" and (now - last).total_seconds() > IDLE


if all(idle(session["kernel"]) for session in sessions):
    subprocess.run(["aws", "sagemaker", "stop-notebook-instance", "--notebook-instance-name", name], check=True)
PY
chmod 755 /usr/local/bin/opsctl-idle-stop
command -v crontab >/dev/null || dnf -q -y install cronie
systemctl enable --now crond
echo '*/5 * * * * root /usr/local/bin/opsctl-idle-stop 2>&1 | logger -t opsctl-idle-stop' > /etc/cron.d/opsctl-idle-stop
