"""What `upload.py` and `upload_kill.py` share: the data sets, the server, opsctl's project, and measured commands.

Data sets are made and read by processes of their own (`upload_rig.py make|warm FOLDER …`): a child's maximum RSS is
never reported below that of the process that started it (Linux keeps it over execve), so the measuring process stays
small.
"""

import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MiB = 1024 * 1024

# Any keys do; the account of the server is the one in the name of opsctl's bucket.
KEYS = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
OPSCTL_BUCKET = "bench-dev-123456789012-us-east-1"

# ---------------------------------------------------------------- data sets


def photos(share=1.0):
    """8,351 files in 133 folders, 1.1 GB, with the spread of sizes of photographs. Yields path and size."""
    files, folders, total = int(8351 * share), max(1, int(133 * share)), int(1_100_000_000 * share)
    dice = random.Random(133)
    weights = [math.exp(dice.gauss(0, 0.6)) for _ in range(files)]
    scale = total / sum(weights)
    for index, weight in enumerate(weights):
        yield f"class_{index % folders:03}/img_{index:05}.jpg", max(2000, int(weight * scale))


def large(share=1.0):
    """One file of 2 GiB."""
    yield "model.bin", int(2048 * share) * MiB


def tiny(share=1.0):
    """50,000 files of 2 KiB."""
    for index in range(int(50_000 * share)):
        yield f"shard_{index % 100:02}/{index:05}.txt", 2048


DATA_SETS = {"photos": photos, "large": large, "tiny": tiny}


def write(path, size, seed):
    """Incompressible bytes, the same for the same seed."""
    dice = random.Random(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        for at in range(0, size, 16 * MiB):
            file.write(dice.randbytes(min(16 * MiB, size - at)))


def make(folder, name, share=1.0):
    """Makes the data set below `folder`, or finds it there whole; returns where it is."""
    place = Path(folder) / f"{name}-{share:g}"
    done = place.with_suffix(place.suffix + ".made")
    if not done.exists():
        shutil.rmtree(place, ignore_errors=True)
        say(f"making {place}")
        subprocess.run([sys.executable, __file__, "make", str(folder), name, str(share)], check=True)
        done.touch()
    return place


def warm(folder):
    """Reads all files once, so that they are in the page cache; returns how many they are."""
    done = subprocess.run([sys.executable, __file__, "warm", str(folder)], check=True, capture_output=True, text=True)
    return int(done.stdout)


def read_all(folder):
    count = 0
    for path in Path(folder).rglob("*"):
        if path.is_file():
            count += 1
            with open(path, "rb") as file:
                while file.read(MiB):
                    pass
    return count


def change(folder, mark, every=100):
    """Overwrites the beginning of every hundredth file, at the same size; returns how many those are."""
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file())[::every]
    for path in files:
        with open(path, "r+b") as file:
            file.write(f"changed {mark:>16}".encode())
    return len(files)


def renew(folder, seconds=None):
    """Fresh modification times, as a checkout in CI has them; or times of so many seconds ago."""
    times = None if seconds is None else (time.time() - seconds,) * 2
    for path in Path(folder).rglob("*"):
        if path.is_file():
            os.utime(path, times)


# ---------------------------------------------------------------- measuring


@dataclass
class Run:
    """One command, measured. CPU is user and system time of the process and of the children it waited for."""

    wall: float
    cpu: float
    rss_mb: float
    code: int
    said: str
    counts: dict = field(default_factory=dict)


def run(command, env, timeout=900, cwd=None):
    """Runs a command to its end; its whole environment is `env` and a path."""
    env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **env}
    with tempfile.TemporaryFile() as said:
        start = time.monotonic()
        process = subprocess.Popen([str(word) for word in command], env=env, cwd=cwd, stdin=subprocess.DEVNULL,
                                   stdout=said, stderr=said)
        watch = start + timeout
        while True:
            # wait4 without WNOHANG would block forever on a command that hangs; 2 ms is what wall times are good for.
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > watch:
                process.kill()
            time.sleep(0.002)
        wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(max(0, said.seek(0, os.SEEK_END) - 2000))
        text = said.read().decode(errors="replace")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode, text)


def say(text):
    print(text, file=sys.stderr, flush=True)


# ---------------------------------------------------------------- the server and the floor


def build(work):
    """Builds `s3sink` and `floor` (release); returns the folder they are in."""
    target = os.environ.get("CARGO_TARGET_DIR", str(Path(work) / "cargo"))
    command = ["cargo", "build", "--release", "--quiet", "--manifest-path", str(HERE / "upload" / "Cargo.toml")]
    subprocess.run(command, env={**os.environ, "CARGO_TARGET_DIR": target}, check=True)
    return Path(target) / "release"


class Sink:
    """The measuring server, as a context."""

    def __init__(self, binaries, work, *options):
        self.ca = Path(work) / "ca.pem"
        command = [str(binaries / "s3sink"), "--ca", str(self.ca), "--plain-port", "0", *map(str, options)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.secure, self.plain = (self.process.stdout.readline().strip() for _ in range(2))
        if not self.plain:
            sys.exit("s3sink did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def ask(self, path, method="POST"):
        """One request to the server, outside of what it counts."""
        request = urllib.request.Request(f"{self.plain}/{path}", method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    def counts(self):
        return json.loads(self.ask("_sink", "GET"))

    def reset(self):
        self.ask("_sink/reset")

    def clear(self):
        self.ask("_sink/clear")

    def set(self, **conditions):
        self.ask("_sink/set?" + "&".join(f"{name.replace('_', '-')}={value}" for name, value in conditions.items()))

    def environment(self, plain=False):
        """For a client: where the server is, whom to trust, which keys."""
        env = {**KEYS, "AWS_ENDPOINT_URL": self.plain if plain else self.secure}
        return env if plain else {**env, "AWS_CA_BUNDLE": str(self.ca)}


# ---------------------------------------------------------------- opsctl


class Project:
    """A project of opsctl with one data set named `set`, and a home of its own for whatever opsctl remembers."""

    def __init__(self, opsctl, place, data, extra=""):
        self.opsctl, self.place, self.data, self.extra = Path(opsctl).resolve(), Path(place), data, extra
        self.forget()

    def forget(self):
        """A fresh checkout on a fresh machine: nothing but the config file."""
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir(parents=True)
        (self.place / "home").mkdir()
        config = ["[project]", 'name = "bench"', 'region = "us-east-1"', "[bucket]", "[data.set]",
                  f"path = {json.dumps(str(self.data))}", self.extra, ""]
        (self.place / "opsctl.toml").write_text("\n".join(config))

    def environment(self, env):
        home = self.place / "home"
        return {**env, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "XDG_STATE_HOME": str(home / "state"),
                "OPSCTL_CACHE": str(home / "opsctl")}

    def command(self, *words):
        return [self.opsctl, "--config", self.place / "opsctl.toml", *words, "--yes"]

    def upload(self):
        return self.command("upload", "set")

    def prepare(self, env):
        """Makes the bucket, which is no part of what is measured."""
        done = run(self.command("bucket"), self.environment(env), timeout=120)
        if done.code:
            sys.exit(f"opsctl could not make its bucket:\n{done.said}")


def main(work, folder, name="", share="1"):
    if work == "warm":
        return print(read_all(folder))
    for number, (path, size) in enumerate(DATA_SETS[name](float(share))):
        write(Path(folder) / f"{name}-{float(share):g}" / path, size, f"{name} {number}")


if __name__ == "__main__":
    main(*sys.argv[1:])
