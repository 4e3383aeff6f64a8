#!/usr/bin/env python3
"""opsctl's engine beside Cloudsplaining (PyPI), on the same generated dump, in one run.

    python3 tests/bench/audit_compare.py [ROLES]      # needs cargo, pip and the network for PyPI

Prints CPU seconds (user and system, of the child and its children) and peak memory.
"""
import pathlib
import subprocess
import sys
import tempfile

VERSION = "0.9.1"
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def measured(name, command):
    """Runs a command in a process of its own, so that its peak memory is its own too."""
    code = (
        "import resource,subprocess,sys;"
        "r=subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL,stderr=subprocess.DEVNULL).returncode;"
        "u=resource.getrusage(resource.RUSAGE_CHILDREN);print(r,u.ru_utime+u.ru_stime,u.ru_maxrss/1024)"
    )
    out = subprocess.run([sys.executable, "-c", code, *map(str, command)], check=True, capture_output=True, text=True)
    status, cpu, memory = out.stdout.split()
    print(f"{name:<16} {float(cpu):8.2f} CPU s {float(memory):8.0f} MB   exit {status}")


def main():
    roles = sys.argv[1] if len(sys.argv) > 1 else "3000"
    bench = ["cargo", "bench", "--quiet", "--no-default-features", "--bench", "audit"]
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        dump = scratch / "dump.json"
        subprocess.run([*bench, "--", "--write", str(dump), roles], cwd=ROOT, check=True)
        built = subprocess.run([*bench, "--", "--path"], cwd=ROOT, check=True, capture_output=True, text=True)
        program = built.stdout.strip().splitlines()[-1]
        venv = scratch / "venv"
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([venv / "bin/pip", "install", "-q", f"cloudsplaining=={VERSION}"], check=True)
        print(f"{roles} roles, {dump.stat().st_size / 1e6:.1f} MB")
        measured("opsctl engine", [program, "--one", dump])
        measured("cloudsplaining", [venv / "bin/cloudsplaining", "scan", "-i", dump, "-o", scratch, "--skip-open-report"])


if __name__ == "__main__":
    main()
