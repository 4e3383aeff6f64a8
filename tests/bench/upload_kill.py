#!/usr/bin/env python3
"""Kills `opsctl upload` at random moments, and lets the server misbehave: nothing may be lost, nothing sent twice.

    cargo build --release
    python3 tests/bench/upload_kill.py                    # against s3sink --keep --verify: some minutes
    python3 tests/bench/upload_kill.py --server sandbox   # the same kills against `opsctl sandbox serve`

Every case is killed with SIGKILL at ten seeded moments between start and end of an uninterrupted run. After each kill
boto3, a client that is not ours, looks at what the bucket has; the command is run again, and must

- succeed, and send no more than what was missing then: files, or parts of the open upload. What the server had taken
  but opsctl had not yet heard of counts as missing: at most `--in-flight` requests, and five of its own objects;
- leave a bucket that equals the folder byte for byte, and no open upload.

Then one run against a server that answers one request in five with 503, resets one connection in fifty and corrupts one
body in a thousand: the bucket must be equal, and every corrupted body must have been refused by its checksum.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import upload_rig as rig
from upload_rig import MiB, OPSCTL_BUCKET, say

PREFIX = "data/set/"
BOOKKEEPING = 5  # manifest, lease, and a second try of them

# ---------------------------------------------------------------- data


def many(folder, files):
    """Small files, and names that are easily mistreated: both forms of ü, spaces, plus signs, an empty file."""
    for index in range(files):
        rig.write(folder / f"class_{index % 30:02}" / f"img_{index:05}.jpg", 4_000 + index * 7919 % 30_000, f"many {index}")
    for index, name in enumerate(["a b+c.txt", "\u00fc nfc.txt", "u\u0308 nfd.txt", "100%.txt", "'quoted' & <so>.txt"]):
        rig.write(folder / "odd names" / name, 100 + index, name)
    rig.write(folder / "odd names" / "empty.txt", 0, "")


def one_large(folder, mebibytes):
    rig.write(folder / "model.bin", mebibytes * MiB + 12_345, "large")


def digests(folder):
    """Of every file, by path."""
    return {path.relative_to(folder).as_posix(): digest(path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


def digest(data):
    return hashlib.sha256(data).hexdigest()


# ---------------------------------------------------------------- servers


class SinkServer:
    """s3sink that keeps bodies and verifies checksums."""

    def __init__(self, options, binaries):
        self.plain = options.plain
        self.bodies = options.work / "kept"
        shutil.rmtree(self.bodies, ignore_errors=True)
        self.sink = rig.Sink(binaries, options.work, "--keep", self.bodies, "--verify")

    def environment(self):
        return self.sink.environment(self.plain)

    def empty(self, _):
        self.sink.clear()
        for body in self.bodies.iterdir():
            body.unlink()

    def slow(self, latency_ms=0, rate_cap=0):
        self.sink.set(latency_ms=latency_ms, rate_cap=rate_cap)

    def forget_calls(self):
        self.sink.reset()

    def calls(self, operation):
        return self.sink.counts()["operations"].get(operation, 0)

    def end(self):
        self.sink.__exit__()


class SandboxServer:
    """The AWS that opsctl carries."""

    def __init__(self, options, _):
        state = options.work / "sandbox"
        shutil.rmtree(state, ignore_errors=True)
        env = {**os.environ, "OPSCTL_SANDBOX": str(state)}
        self.process = subprocess.Popen([str(options.opsctl), "sandbox", "serve"], env=env, cwd=options.work,
                                        stdout=subprocess.PIPE, text=True)
        # `export AWS_ENDPOINT_URL=http://127.0.0.1:…`
        self.url = self.process.stdout.readline().strip().partition("=")[2]
        if not self.url:
            sys.exit("the sandbox did not start")

    def environment(self):
        return {**rig.KEYS, "AWS_ENDPOINT_URL": self.url}

    def empty(self, bucket):
        bucket.empty()

    def slow(self, latency_ms=0, rate_cap=0):
        if latency_ms:
            return self.ask("faults", "POST", f'"delay={latency_ms}ms@s3:Put*#1x0"'), self.ask(
                "faults", "POST", f'"delay={latency_ms * 20}ms@s3:UploadPart#1x0"')
        return self.ask("faults", "DELETE")

    def ask(self, path, method, body=None):
        request = urllib.request.Request(f"{self.url}/_sandbox/{path}", method=method, data=body and body.encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def forget_calls(self):
        self.ask("calls", "DELETE")

    def calls(self, operation):
        return self.ask("calls", "GET")["by_operation"].get(f"s3:{operation}", 0)

    def end(self):
        self.process.terminate()
        self.process.wait()


class Bucket:
    """opsctl's bucket, seen by boto3."""

    def __init__(self, env):
        import boto3
        from botocore.config import Config

        self.s3 = boto3.client(
            "s3", endpoint_url=env["AWS_ENDPOINT_URL"], region_name=env["AWS_REGION"], verify=env.get("AWS_CA_BUNDLE", True),
            aws_access_key_id=env["AWS_ACCESS_KEY_ID"], aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 5}))

    def keys(self, prefix=PREFIX):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=OPSCTL_BUCKET, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def uploads(self):
        pages = self.s3.get_paginator("list_multipart_uploads").paginate(Bucket=OPSCTL_BUCKET)
        return [item for page in pages for item in page.get("Uploads", [])]

    def parts(self):
        """Of all open uploads."""
        def count(upload):
            pages = self.s3.get_paginator("list_parts").paginate(
                Bucket=OPSCTL_BUCKET, Key=upload["Key"], UploadId=upload["UploadId"])
            return sum(len(page.get("Parts", [])) for page in pages)
        return sum(map(count, self.uploads()))

    def digest(self, name):
        try:
            return digest(self.s3.get_object(Bucket=OPSCTL_BUCKET, Key=PREFIX + name)["Body"].read())
        except self.s3.exceptions.NoSuchKey:
            return None

    def differs(self, want):
        """The names that are there and not wanted, wanted and not there, or not equal byte for byte."""
        have = {key.removeprefix(PREFIX) for key in self.keys()}
        return sorted(have ^ set(want)) + sorted(name for name in have & set(want) if self.digest(name) != want[name])

    def empty(self):
        for key in self.keys(""):
            self.s3.delete_object(Bucket=OPSCTL_BUCKET, Key=key)
        for upload in self.uploads():
            self.s3.abort_multipart_upload(Bucket=OPSCTL_BUCKET, Key=upload["Key"], UploadId=upload["UploadId"])


# ---------------------------------------------------------------- kills


class Trial:
    """One folder, one project, one server."""

    def __init__(self, options, server, folder):
        self.options, self.server, self.folder = options, server, folder
        extra = f"max_concurrency = {options.in_flight}" if options.concurrency_is_known else ""
        self.project = rig.Project(options.opsctl, options.work / "kill-project", folder, extra)
        self.env = self.project.environment(server.environment())
        self.bucket = Bucket(server.environment())
        self.project.prepare(self.env)

    def afresh(self):
        """Nothing in the bucket, nothing remembered."""
        self.server.empty(self.bucket)
        self.project.forget()

    def upload(self):
        return rig.run(self.project.upload(), self.env, timeout=300)

    def killed(self, after):
        """Starts an upload and kills it and all its children after so many seconds; true if it was still running."""
        process = subprocess.Popen([str(word) for word in self.project.upload()], env={"PATH": os.environ["PATH"], **self.env},
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   start_new_session=True)
        try:
            process.wait(after)
            return False
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True

    def equal(self):
        """What is wrong with the bucket, in words; empty if nothing is."""
        wrong = self.bucket.differs(digests(self.folder))
        said = [f"{len(wrong)} objects differ, such as {wrong[0]!r}"] if wrong else []
        left = self.bucket.uploads()
        return said + ([f"{len(left)} uploads left open"] if left else [])


class Case:
    """What is uploaded when the kill comes, and how slow the server is so that it comes in between."""

    name, latency_ms, rate_cap = "", 0, 0

    def make(self, folder, files):
        """The data, once."""
        raise NotImplementedError

    def before(self, trial):
        """Called before each upload that is to be killed, on an empty bucket."""

    def learn(self, trial):
        """Called after the uninterrupted upload, whose calls were counted."""

    def missing(self, trial):
        """How many PUTs and parts the next upload may need."""
        raise NotImplementedError


class ManyFiles(Case):
    name, latency_ms = "many small files", 4

    def make(self, folder, files):
        many(folder, files)

    def missing(self, trial):
        return len(digests(trial.folder)) - len(trial.bucket.keys()), 0


class OneLarge(Case):
    """In parts, as many as opsctl makes of it; 0.2 to 0.5 s for each of them."""

    name, latency_ms, rate_cap = "one large file", 20, 40 * MiB

    def make(self, folder, _):
        one_large(folder, 192)

    def learn(self, trial):
        self.parts = trial.server.calls("UploadPart")

    def missing(self, trial):
        done = PREFIX + "model.bin" in trial.bucket.keys()
        # Without parts (one PUT), there is nothing to resume.
        return int(not done and not self.parts), 0 if done else self.parts - trial.bucket.parts()


class OnePercent(Case):
    name, latency_ms = "1 % changed", 20
    marks = 0

    def make(self, folder, files):
        many(folder, files)

    def before(self, trial):
        done = trial.upload()
        if done.code:
            sys.exit(f"the upload before the change failed:\n{done.said}")
        self.marks += 1
        rig.change(trial.folder, self.marks)

    def missing(self, trial):
        changed = sorted(path for path in trial.folder.rglob("*") if path.is_file())[::100]
        names = [path.relative_to(trial.folder).as_posix() for path in changed]
        return sum(trial.bucket.digest(name) != digest((trial.folder / name).read_bytes()) for name in names), 0


def kills(options, server, case, dice):
    """Kills one case `options.kills` times; returns the number of failures."""
    folder = options.work / "kill-data"
    shutil.rmtree(folder, ignore_errors=True)
    case.make(folder, options.files)
    trial = Trial(options, server, folder)
    # An uninterrupted run tells how long it takes, and into how many parts the file is cut.
    trial.afresh()
    case.before(trial)
    server.slow(case.latency_ms, case.rate_cap)
    server.forget_calls()
    whole = trial.upload()
    server.slow()
    if whole.code:
        print(f"FAIL  {case.name}: the upload fails even when nobody kills it:\n{whole.said}")
        return 1
    case.learn(trial)
    failures = 0
    for number in range(1, options.kills + 1):
        trial.afresh()
        case.before(trial)
        moment = dice.uniform(0.03, 0.97) * whole.wall
        server.slow(case.latency_ms, case.rate_cap)
        hit = trial.killed(moment)
        server.slow()
        puts, parts = case.missing(trial)
        server.forget_calls()
        again = trial.upload()
        sent_puts, sent_parts = server.calls("PutObject"), server.calls("UploadPart")
        wrong = trial.equal()
        if again.code:
            wrong.append(f"the re-run failed ({again.code}): {again.said.strip()[-300:]}")
        if sent_puts > puts + options.in_flight + BOOKKEEPING:
            wrong.append(f"{sent_puts} PUTs where {puts} files were missing")
        # A part that the server has is listed; what was in flight was never complete.
        if sent_parts > parts:
            wrong.append(f"{sent_parts} parts where {parts} were missing")
        failures += bool(wrong)
        print(f"{'FAIL' if wrong else 'PASS'}  {case.name}, {'killed' if hit else 'had ended'} at {moment:.2f} of {whole.wall:.2f} s:"
              f" {puts} files and {parts} parts missing, {sent_puts} PUTs and {sent_parts} parts sent"
              f"{'; ' if wrong else ''}{'; '.join(wrong)}", flush=True)
    return failures


# ---------------------------------------------------------------- faults


def faults(options, server):
    """A server that misbehaves; returns the number of failures."""
    folder = options.work / "kill-data"
    shutil.rmtree(folder, ignore_errors=True)
    many(folder, 2 * options.files)
    one_large(folder, 100)
    trial = Trial(options, server, folder)
    sink = server.sink
    for seed in range(options.seed, options.seed + 10):
        trial.afresh()
        sink.set(slow_down=0.2, reset=0.02, corrupt=0.001, seed=seed)
        done = trial.upload()
        sink.set(slow_down=0, reset=0, corrupt=0)
        counts = sink.counts()
        if counts["corrupted"] or done.code:
            break
    wrong = trial.equal()
    if done.code:
        wrong.append(f"the upload failed ({done.code}): {done.said.strip()[-300:]}")
    if counts["rejected"] < counts["corrupted"] or not counts["corrupted"]:
        wrong.append(f"{counts['corrupted']} bodies were corrupted, {counts['rejected']} refused by a checksum")
    server.forget_calls()
    again = trial.upload()
    if not wrong and (again.code or server.calls("PutObject") > 1):
        wrong.append(f"a run after it sends {server.calls('PutObject')} objects again")
    print(f"{'FAIL' if wrong else 'PASS'}  a server with faults, seed {seed}: {counts['total']} requests, {counts['slow_down']} SlowDown,"
          f" {counts['reset']} resets, {counts['corrupted']} bodies corrupted and {counts['rejected']} refused"
          f"{'; ' if wrong else ''}{'; '.join(wrong)}", flush=True)
    return int(bool(wrong))


# ---------------------------------------------------------------- command line


def with_boto3(work):
    """Goes on in a Python that has boto3: this one, or one in a virtual environment made for it."""
    try:
        import boto3  # noqa: F401
    except ImportError:
        venv = work / "venv"
        python = venv / "bin" / "python"
        if Path(sys.prefix) == venv:
            sys.exit("boto3 was installed and is not there")
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "boto3"], check=True)
        os.execv(python, [str(python), *sys.argv])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--opsctl", type=Path, default=rig.ROOT / "target/release/opsctl")
    parser.add_argument("--server", choices=["sink", "sandbox"], default="sink")
    parser.add_argument("--plain", action="store_true", help="plain HTTP to s3sink instead of TLS")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--in-flight", type=int, default=8, help="requests at a time (max_concurrency)")
    parser.add_argument("--files", type=int, help="small files (default: 1500; 300 in the sandbox, which does more for each)")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--only", choices=["many", "large", "changed", "faults"], help="one part of it")
    parser.add_argument("--work", type=Path, default=rig.ROOT / "target/bench", help="where all files go")
    options = parser.parse_args()
    if not options.opsctl.exists():
        parser.error(f"{options.opsctl} is not there: `cargo build --release`, or name another with --opsctl")
    options.work, options.opsctl = options.work.resolve(), options.opsctl.resolve()
    options.work.mkdir(parents=True, exist_ok=True)
    options.files = options.files or (1500 if options.server == "sink" else 300)
    with_boto3(options.work)
    schema = subprocess.run([options.opsctl, "schema"], capture_output=True, text=True, check=True).stdout
    options.concurrency_is_known = "max_concurrency" in schema

    # So that the server ends with us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    start = time.monotonic()
    binaries = rig.build(options.work)
    cases = {"many": ManyFiles(), "large": OneLarge(), "changed": OnePercent()}
    failures = 0
    server = (SinkServer if options.server == "sink" else SandboxServer)(options, binaries)
    try:
        for name, case in cases.items():
            if options.only in (None, name):
                failures += kills(options, server, case, random.Random(f"{options.seed} {name}"))
        if options.server == "sink" and options.only in (None, "faults"):
            failures += faults(options, server)
    finally:
        server.end()
    print(f"{failures} failed, in {time.monotonic() - start:.0f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
