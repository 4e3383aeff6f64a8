#!/usr/bin/env python3
"""Random histories of a data set, with kills and with strangers in the bucket: nothing of theirs may be lost.

    cargo build
    python3 tests/bench/histories.py                 # forty histories, some minutes; boto3 is installed where it is not
    python3 tests/bench/histories.py --seed 7 --histories 1 --verbose

Two checkouts of one project and a stranger work on one bucket of `opsctl sandbox serve`: files are edited, renamed,
turned into folders and back, left out; uploads, deploys and prunes are run, killed and interrupted; the stranger puts,
replaces and deletes objects beside ours, below our prefix and under our names. The bucket is opsctl's or adopted, its
versions are kept, suspended or were never kept. Demanded at any time: what the stranger put and did not delete is there,
byte for byte, and where there are versions, each of his; exit 0 of an upload means that the folder is in the bucket, and
that nothing is left to do; what is refused is refused for a reason that the stranger gave. In the end a destroy leaves
what is his, and nothing else. As docs/decisions/0066 has it, a path that both the manifest and the folder name is the
folder's, of what somebody takes from under a manifest only `upload --verify` knows, and in a bucket that opsctl made
old versions below its prefix are its own.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from races import Sandbox
from upload_kill import with_boto3
from upload_rig import ROOT

PREFIX = "data/d/"
# What a stranger is a reason for, and what somebody who works in the meantime is.
REFUSALS = {"E203", "E216", "E268"}
NAMES = ["a", "b", "c/x", "c/y", "a/x", "b/y/z", "\u00fc b+c", "e"]


class Machine:
    """A checkout of the project, with a home of its own."""

    def __init__(self, options, sandbox, folder, bucket):
        self.folder, self.bucket, self.opsctl = folder, bucket, options.opsctl
        (folder / "d").mkdir(parents=True)
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "AWS_ACCESS_KEY_ID": "AKIAOWNER",
            "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": sandbox.url,
        }

    def checks_out(self, files, delete, with_data=True):
        shutil.rmtree(self.folder / "d")
        (self.folder / "d").mkdir()
        for path, content in files.items():
            (self.folder / "d" / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / "d" / path).write_bytes(content)
        config = f'[project]\nname = "histories"\nregion = "us-east-1"\n[bucket]\nname = "{self.bucket}"\n'
        if with_data:
            config += f'[data.d]\npath = "d"\ndelete = {str(delete).lower()}\nmax_concurrency = 2\n'
        (self.folder / "opsctl.toml").write_text(config)

    def run(self, *arguments, kill=None):
        """Exit status and all that it says; killed by a signal after so many seconds."""
        process = subprocess.Popen(
            [self.opsctl, *arguments], cwd=self.folder, env=self.environment, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        if kill:
            how, after = kill
            time.sleep(after)
            process.send_signal(how)
        try:
            out, _ = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            process.kill()
            out = process.communicate()[0] + "\nDID NOT END"
        return process.returncode, out


class History:
    def __init__(self, options, sandbox, seed):
        import boto3

        self.random, self.options, self.sandbox, self.told = random.Random(seed), options, sandbox, []
        self.home = Path(tempfile.mkdtemp(prefix=f"histories-{seed}-"))
        self.bucket = f"histories-{seed}"
        self.machines = [Machine(options, sandbox, self.home / name, self.bucket) for name in ("one", "two")]
        self.s3 = boto3.client(
            "s3", endpoint_url=sandbox.url, region_name="us-east-1", aws_access_key_id="AKIASTRANGER",
            aws_secret_access_key="test",
            config=boto3.session.Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
        )
        self.files, self.delete = {}, self.random.random() < 0.5
        self.adopted = self.random.random() < 0.5
        self.versions = self.random.choice(["Enabled", "Suspended", None]) if self.adopted else "Enabled"
        self.his = {}  # his latest of each key
        self.put = {}  # all that he put, by key and version, where versions are kept
        self.taken = set()  # paths that he replaced or deleted, though the manifest names them
        self.marked = False  # whether he deleted anything: a marker is his, too
        self.came = False  # whether he has been below our prefix
        self.exists = False
        self.broken = False  # whether a run was broken off

    def say(self, *words):
        self.told.append(" ".join(str(word) for word in words))
        if self.options.verbose:
            print("   ", self.told[-1], flush=True)

    # ---------------------------------------------------------------- what people do

    def edit(self):
        for _ in range(self.random.randint(1, 3)):
            path, what = self.random.choice(NAMES), self.random.random()
            if what < 0.25:
                self.files.pop(path, None)
                continue
            # A file cannot be where a folder is.
            above = {path[:at.start()] for at in re.finditer("/", path)}
            for other in [p for p in self.files if p in above or p.startswith(path + "/")]:
                del self.files[other]
            self.files[path] = self.random.randbytes(self.random.choice([0, 10, 10, 3_000, 300_000]))
        if not self.files:
            self.files["e"] = b"one is needed"
        self.say("edit", {path: len(content) for path, content in self.files.items()})

    def stranger(self):
        if not self.exists:
            return
        key = self.random.choice([
            PREFIX + self.random.choice(NAMES), PREFIX + "his/" + self.random.choice("pq"), "elsewhere/" + self.random.choice("pq"),
        ])
        self.came |= key.startswith(PREFIX)
        if key.removeprefix(PREFIX) in self.manifest():
            self.taken.add(key.removeprefix(PREFIX))
        if self.random.random() < 0.3:
            self.say("stranger deletes", key)
            self.s3.delete_object(Bucket=self.bucket, Key=key)
            self.his.pop(key, None)
            self.is_old(key)
            self.marked = True
            return
        content = self.random.choice([*self.files.values(), self.random.randbytes(20)])
        # Without one S3 works out the CRC-64/NVME, which is what opsctl sends.
        checksum = self.random.choice([{}, {}, {"ChecksumAlgorithm": "SHA256"}, {"ChecksumAlgorithm": "CRC32"}])
        before = self.objects().get(key)
        answer = self.s3.put_object(Bucket=self.bucket, Key=key, Body=content, **checksum)
        self.say("stranger puts", key, len(content), *checksum.values())
        if before == content and key.removeprefix(PREFIX) in self.taken:
            return  # as if nothing had happened
        self.is_old(key)
        self.his[key] = content
        if answer.get("VersionId", "null") != "null":
            self.put[key, answer["VersionId"]] = content

    def is_old(self, key):
        """What he put there is no longer the latest."""
        if not self.adopted and key.startswith(PREFIX):
            self.put = {of: content for of, content in self.put.items() if of[0] != key}

    def command(self):
        machine = self.random.choice(self.machines)
        if self.random.random() < 0.15:
            self.delete = not self.delete
        machine.checks_out(self.files, self.delete)
        command = self.random.choice([
            ["upload", "--yes"], ["upload", "--yes"], ["upload", "--yes", "--verify"], ["deploy", "--yes"],
            ["deploy", "--yes"], ["deploy", "--yes", "--prune"], ["upload", "--dry-run"], ["plan"], ["status"],
            ["destroy", "--yes"],
        ])
        if command[0] == "upload" and not self.exists:
            command = ["deploy", "--yes"]
        if self.adopted and command[0] in ("deploy", "plan") and not self.is_ours():
            command.append("--adopt")
        if self.random.random() < 0.15 and command[0] == "deploy":
            machine.checks_out(self.files, self.delete, with_data=False)
            command = ["deploy", "--yes", "--prune", *(["--adopt"] if "--adopt" in command else [])]
            self.ran(machine, command, None, with_data=False)
            return
        kill = None
        if self.random.random() < 0.4:
            how = self.random.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
            kill = (how, self.random.uniform(0.05, 0.9))
            self.sandbox.ask("faults", [f"delay=60ms@s3:{name}" for name in ("PutObject", "DeleteObjects", "GetObject")])
        self.ran(machine, command, kill)

    # ---------------------------------------------------------------- what has to hold

    def ran(self, machine, command, kill, with_data=True):
        was_ours = self.exists and self.is_ours()
        status, out = machine.run(*command, kill=kill)
        if kill:
            self.sandbox.ask("faults", method="DELETE")
        self.say(machine.folder.name, *command, f"{kill[0].name} after {kill[1]:.2f} s" if kill else "", "->", status)
        self.exists = self.has_bucket()
        self.demand("DID NOT END" not in out, "it does not end", out)
        self.demand(status != 101 and "panicked" not in out, "a panic", out)
        if status == 5 and self.broken:
            # The lease of whoever was killed.
            forced = machine.run("lease", "break", "--yes")
            self.say("lease break ->", forced[0])
            return self.ran(machine, command, kill, with_data)
        self.demand_his(out)
        is_broken_off = kill is not None and status not in (0, 1, 2)
        self.broken |= is_broken_off
        if is_broken_off:
            return None
        if status == 0 and command[0] in ("upload", "deploy") and "--dry-run" not in command and with_data:
            self.demand_uploaded("--verify" in command, out)
            again = machine.run("plan", "--detailed-exitcode")
            left = again[0] != 0 if command[0] == "deploy" else " data/d " in again[1]
            self.demand(not left, "something is left to do", out + again[1])
        if status == 0 and command[0] == "destroy" and was_ours:
            self.demand_gone(out)
        if status != 0:
            codes = set(re.findall(r"\b[CE]\d{3}\b", out))
            reason = self.came or not self.is_ours() or (self.his and codes <= {"E203", "E216"})
            # A file has become a folder, and stays.
            reason = reason or (codes == {"E268"} and not self.delete)
            self.demand(codes & REFUSALS and reason, "it fails without a reason", out)
        return None

    def demand_his(self, out):
        there = self.objects() if self.exists else {}
        for path in [path for path in self.taken if there.get(PREFIX + path) == self.files.get(path, b"not there")]:
            # Sent again in his place; in our bucket what is no longer the latest is ours.
            self.taken.remove(path)
            self.his.pop(PREFIX + path, None)
            self.is_old(PREFIX + path)
        for key, content in self.his.items():
            self.demand(there.get(key) == content, f"the stranger's {key} is gone or another", out)
        for (key, version), content in self.put.items():
            try:
                kept = self.s3.get_object(Bucket=self.bucket, Key=key, VersionId=version)["Body"].read()
            except self.s3.exceptions.ClientError:
                kept = None
            self.demand(kept == content, f"the stranger's version {version} of {key} is gone", out)

    def demand_uploaded(self, verified, out):
        there = {key[len(PREFIX):]: content for key, content in self.objects().items() if key.startswith(PREFIX)}
        for path, content in self.files.items():
            if path in self.taken and not verified:
                continue
            self.demand(there.get(path) == content, f"{path} is not in the bucket as it is in the folder", out)
        others = [path for path in there if path not in self.files and PREFIX + path not in self.his]
        self.demand(not (self.delete and others), f"{others} stay, despite `delete`", out)

    def demand_gone(self, out):
        # A version of his that ours was put above is the latest again.
        his = {*self.his, *(key for key, _ in self.put)}
        left = [key for key in (self.objects() if self.exists else {}) if key not in his]
        self.demand(not left, f"{left} are left", out)
        if self.exists:
            self.demand(self.adopted or self.his or self.put or self.marked, "the bucket is left, and nobody's", out)

    def demand(self, holds, what, out):
        if not holds:
            raise AssertionError(f"{what}\n{out}")

    # ---------------------------------------------------------------- what is there

    def has_bucket(self):
        try:
            self.s3.head_bucket(Bucket=self.bucket)
            return True
        except self.s3.exceptions.ClientError:
            return False

    def is_ours(self):
        try:
            tags = self.s3.get_bucket_tagging(Bucket=self.bucket)["TagSet"]
        except self.s3.exceptions.ClientError:
            return False
        return any(tag["Key"] == "opsctl:project" for tag in tags)

    def manifest(self):
        try:
            read = self.s3.get_object(Bucket=self.bucket, Key=PREFIX.rstrip("/") + ".opsctl-manifest.json")["Body"].read()
        except self.s3.exceptions.ClientError:
            return {}
        return json.loads(read)["files"]

    def objects(self):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return {key: self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read() for key in keys}

    # ---------------------------------------------------------------- from the first to the last

    def run(self):
        self.say("bucket", "adopted" if self.adopted else "made", "versions", self.versions, "delete", self.delete)
        if self.adopted:
            self.s3.create_bucket(Bucket=self.bucket)
            self.exists = True
            if self.versions:
                self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": self.versions})
            for _ in range(self.random.randint(0, 2)):
                self.stranger()
        self.edit()
        for _ in range(self.options.steps):
            act = self.random.choices([self.edit, self.stranger, self.command], [2, 1.5, 4])[0]
            act()
        machine = self.machines[0]
        machine.checks_out(self.files, self.delete)
        if self.exists and self.is_ours():
            self.ran(machine, ["destroy", "--yes"], None)


def one(options, sandbox, seed):
    """What was wrong with a history, if anything."""
    history = History(options, sandbox, seed)
    try:
        history.run()
        return None
    except AssertionError as wrong:
        return f"seed {seed}: {wrong}\n" + "\n".join(f"    {line}" for line in history.told)
    finally:
        shutil.rmtree(history.home, ignore_errors=True)


def main(options):
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(options.opsctl, Path(folder))
        try:
            for seed in range(options.seed, options.seed + options.histories):
                problem = one(options, sandbox, seed)
                if problem:
                    print(problem, flush=True)
                    wrong.append(seed)
        finally:
            sandbox.end()
    print(f"{options.histories} histories, {len(wrong)} wrong {wrong or ''}")
    return 1 if wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--opsctl", default=str(ROOT / "target/debug/opsctl"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--histories", type=int, default=40)
    parser.add_argument("--steps", type=int, default=14)
    parser.add_argument("--verbose", action="store_true")
    parsed = parser.parse_args()
    with_boto3(ROOT / "target/bench")
    sys.exit(main(parsed))
