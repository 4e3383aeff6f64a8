#!/usr/bin/env python3
"""Races that take minutes: a run that sleeps over its lease, and machines whose clocks are wrong by two hours.

    cargo build
    python3 tests/bench/races.py [--opsctl target/debug/opsctl] [--faketime libfaketime.so.1]

Each run signs with a key of its own, so the log of calls of `opsctl sandbox serve` tells who wrote what. Demanded: never
a write of one between two writes of another, no write at all of who lost the lease, exit 0 of nobody who did, and a
lease that is free in the end. The clocks need libfaketime (https://github.com/wolfcw/libfaketime), and only the clock
on the wall is wrong, as on a real machine. With it, both ways: who is two hours ahead or behind takes no lease from
anybody, and blocks nobody for longer than the lease lives.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

CONFIG = '[project]\nname = "races"\nregion = "us-east-1"\n[bucket]\nkeep_old_versions = "{days}d"\n[data.d]\npath = "d"\n'
LIFE = 90


class Sandbox:
    def __init__(self, opsctl, folder):
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "OPSCTL_SANDBOX": str(folder / "sandbox")}
        command = [opsctl, "sandbox", "serve", "--port", "0", "--speed", "1"]
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        serve = folder / "sandbox" / "serve.json"
        while not serve.exists():
            time.sleep(0.05)
        self.url = json.loads(serve.read_text())["endpoint"]

    def ask(self, path, document=None, method=None):
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(f"{self.url}/_sandbox/{path}", body, method=method)
        return json.load(urllib.request.urlopen(request))

    def writes(self):
        """Who wrote what, in order."""
        log = self.ask("calls")["log"]
        done = [line for line in log if line["effect"] == "writes" and (line["status"] or 999) < 300]
        return [(line["caller"], line["operation"]) for line in done if line["operation"] != "s3:CreateBucket"]

    def end(self):
        self.process.terminate()
        self.process.wait()


class Machine:
    """A folder, a key and a clock of its own."""

    def __init__(self, options, sandbox, name, days, clock=None):
        self.name, self.key, self.sandbox = name, f"AKIA{name}", sandbox
        self.folder = Path(tempfile.mkdtemp(prefix=f"races-{name}-"))
        (self.folder / "d").mkdir()
        (self.folder / "d" / "file").write_text(name)
        self.wants(days)
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.folder), "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": sandbox.url,
        }
        if clock:
            self.environment |= {
                "LD_PRELOAD": options.faketime, "FAKETIME": clock, "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "DONT_FAKE_MONOTONIC": "1",
            }
        self.opsctl = options.opsctl

    def wants(self, days):
        (self.folder / "opsctl.toml").write_text(CONFIG.format(days=days))

    def start(self, *arguments):
        command = [self.opsctl, *arguments]
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def run(self, *arguments):
        process = self.start(*arguments)
        out, err = process.communicate(timeout=400)
        return process.returncode, out + err


def writers(writes):
    """Who wrote, without repetition."""
    return [key for i, (key, _) in enumerate(writes) if i == 0 or writes[i - 1][0] != key]


def until(sandbox, key, operation):
    while not any(line == (key, operation) for line in sandbox.writes()):
        time.sleep(0.1)


def sleeper(options):
    """Stopped in the middle for longer than the lease lives; another one takes over; then it wakes up."""
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(options.opsctl, Path(folder))
        first, second = (Machine(options, sandbox, name, days) for name, days in [("ANN", 30), ("BOB", 31)])
        sandbox.ask("faults", ["delay=3s@s3:PutBucketVersioning"])
        running = first.start("deploy", "--yes")
        until(sandbox, first.key, "s3:PutObject")
        running.send_signal(signal.SIGSTOP)
        early = second.run("deploy", "--yes")
        time.sleep(LIFE + 5)
        late = second.run("deploy", "--yes")
        before = len(sandbox.writes())
        running.send_signal(signal.SIGCONT)
        out, err = running.communicate(timeout=400)
        after = sandbox.writes()[before:]
        lease = second.run("lease", "show", "-o", "json")
        plan = second.run("plan", "--detailed-exitcode")
        sandbox.end()
        return {
            "while it sleeps, within the lease's life: refused": early[0] == 5,
            "after it: taken over": late[0] == 0,
            "the woken one: exit 5": running.returncode == 5,
            "the woken one writes nothing": after == [],
            "what the other one deployed is there": plan[0] == 0,
            "the lease is free": json.loads(lease[1])["held"] is False,
        }, (early, late, (running.returncode, out + err), after, plan)


def clock(options, wrong):
    """A machine with a wrong clock, beside one with a right one."""
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(options.opsctl, Path(folder))
        right, other = (Machine(options, sandbox, name, days) for name, days in [("ANN", 30), ("EVE", 40)])
        false = Machine(options, sandbox, "BOB", 31, wrong)
        made = right.run("deploy", "--yes")
        right.wants(33)
        sandbox.ask("calls", method="DELETE")
        sandbox.ask("faults", ["delay=6s@s3:PutBucketLifecycleConfiguration"])
        running = right.start("deploy", "--yes")
        until(sandbox, right.key, "s3:PutObject")
        steals = false.run("deploy", "--yes")
        out, err = running.communicate(timeout=400)
        # The wrong one in turn: it is killed, and blocks nobody for longer than the lease lives.
        sandbox.ask("faults", method="DELETE")
        sandbox.ask("faults", ["delay=60s@s3:PutBucketLifecycleConfiguration"])
        killed = false.start("deploy", "--yes")
        until(sandbox, false.key, "s3:PutObject")
        time.sleep(1)
        killed.kill()
        killed.communicate()
        early = other.run("deploy", "--yes")
        sandbox.ask("faults", method="DELETE")
        # By S3's clock, which is the sandbox's.
        sandbox.ask("clock", {"advance_ms": (LIFE + 5) * 1000})
        late = other.run("deploy", "--yes")
        order = writers(sandbox.writes())
        sandbox.end()
        return {
            "it deploys at all": made[0] == 0,
            "a live lease is not taken": steals[0] == 5,
            "its holder ends well": running.returncode == 0,
            "a dead one's holds for its life": early[0] == 5,
            "and for no longer": late[0] == 0,
            "one writer at a time": order == [right.key, false.key, other.key],
        }, (steals, (running.returncode, out + err), early, late, order)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--opsctl", default="target/debug/opsctl", type=os.path.abspath)
    parser.add_argument("--faketime", type=os.path.abspath, help="libfaketime.so.1; without it the clocks are not tried")
    options = parser.parse_args()
    cases = [("stopped for longer than its lease lives", lambda: sleeper(options))]
    if options.faketime:
        for wrong in ["+2h", "-2h"]:
            cases.append((f"a clock that is wrong by {wrong}", lambda wrong=wrong: clock(options, wrong)))
    good = True
    for name, case in cases:
        demands, details = case()
        for demand, held in demands.items():
            print(f"{'ok   ' if held else 'WRONG'} {name}: {demand}", flush=True)
        if not all(demands.values()):
            good = False
            print(details)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
