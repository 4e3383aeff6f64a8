#!/usr/bin/env python3
"""What AWS's images hold, for the sandbox: the Python packages of each, and their versions.

    python3 src/sandbox/runners/python/data/contents.py FOLDER    # writes contents.txt beside itself; needs git and uv

FOLDER has clones of aws/deep-learning-containers, aws/sagemaker-scikit-learn-container and
aws/sagemaker-xgboost-container, bare or not, under those names. Of each image the newest recipe is read: the packages
that its Dockerfile (on a CPU where there is one) or its requirements.txt installs. Most have no version there, and what
they bring has none either: `uv pip compile --exclude-newer` says which they were on the day of that recipe. Of an image for
which it does not (packages without wheels, a Python that is not told) there are the versions that its recipe names.

contents.txt, one record a line, fields separated by tabs:
  d DATE                              the newest day of a recipe
  i REPOSITORY VERSION PYTHON PACKAGE==VERSION…
                                      an image: its version as its tag begins, "-" for a Python that is not told;
                                      PACKAGE alone where its version is not known
  s FRAMEWORK==VERSION MEGABYTES      what pip fetches of PyPI for it and for what it brings, from 100 MB on
  m MODULE PACKAGE                    a module that is not called as its package
"""
import concurrent.futures
import pathlib
import re
import shlex
import subprocess
import sys

# The modules of packages whose names differ. Of OpenCV the build without windows: the other needs libraries of the
# system that AWS's images have and a machine without a screen has not.
MODULES = {
    "PIL": "pillow", "bs4": "beautifulsoup4", "cv2": "opencv-python-headless", "dateutil": "python-dateutil",
    "google.protobuf": "protobuf", "IPython": "ipython", "OpenSSL": "pyopenssl",
    "skimage": "scikit-image", "sklearn": "scikit-learn", "yaml": "pyyaml",
}
# What no script of a model imports: installers, servers, what a build needs, what runs on GPUs or many hosts alone. The
# sandbox brings the newest boto3 and `sagemaker-inference` by itself, and Amazon's SDK keeps others back.
LEFT_OUT = re.compile(
    r"^(pip|setuptools|wheel|cython|uv|conda.*|mamba|libgcc|ca-certificates|python|cmake|ninja|pybind11|mkl.*|awscli"
    r"|opencv-python|torchserve|torch-(model|workflow)-archiver|multi-model-server|model-archiver|gunicorn|gevent|flask"
    r"|werkzeug|itsdangerous|mpi4py|smdebug.*|smclarify|sagemaker.*|boto3|botocore|s3transfer|s3fs|aiobotocore"
    r"|cuda.*|nvidia.*|pynvml|dask-cuda|triton|apex|horovod|smdistributed.*|deepspeed|flash-attn|transformer-engine"
    r"|kenlm|mlio.*|glog|tbb|types-.*|enum-compat|dataclasses|typing|awsio|tensorflow-serving-api|tensorflow-(cpu|gpu)-.*|os-.*)$"
)
# Brought along by others, and imported by name all the same.
BROUGHT = {
    "accelerate", "datasets", "evaluate", "huggingface-hub", "jinja2", "joblib", "keras", "matplotlib", "networkx", "numpy",
    "pandas", "pillow", "protobuf", "psutil", "pyarrow", "pytz", "pyyaml", "regex", "requests", "safetensors", "scikit-learn",
    "scipy", "sentencepiece", "sympy", "tensorboard", "tokenizers", "tqdm",
}
# Names of other builds of one package.
SAME = {"pytorch": "torch", **dict.fromkeys(["tensorflow-cpu", "tensorflow-gpu", "intel-tensorflow"], "tensorflow")}
TAKES_ONE = {"-r", "-c", "-f", "-i", "--index-url", "--extra-index-url", "--trusted-host", "--find-links", "--solver"}


class Clone:
    def __init__(self, folder, name):
        places = [folder / name.replace("/", "+") / "repo", folder / name.split("/")[1]]
        self.at = next(place for place in places if place.exists())

    def git(self, *arguments):
        return subprocess.run(["git", "-C", self.at, *arguments], capture_output=True, text=True, check=True).stdout

    def show(self, revision, path):
        return self.git("show", f"{revision}:{path}")

    def day(self, revision, path):
        return self.git("log", "-1", "--format=%cs", revision, "--", path).strip()

    def recipes(self, branch, pattern):
        return [path for path in self.git("ls-tree", "-r", "--name-only", branch).splitlines() if re.fullmatch(pattern, path)]


def expanded(text, values):
    for _ in range(3):
        text = re.sub(r"\$\{?(\w+)\}?", lambda m: values.get(m[1], m[0]), text)
    return text


def installed(dockerfile):
    """The words after `install` in the stage for SageMaker and those that it is made from, and its Python."""
    values, stages, stage = {}, {}, None
    lines = [line for line in dockerfile.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\s*\n", " ", "\n".join(lines)).splitlines():
        word, _, rest = line.strip().partition(" ")
        if word in ("ARG", "ENV"):
            for name, value in re.findall(r"(\w+)=(\"[^\"]*\"|\S+)", rest) or re.findall(r"^(\w+) (\S+)$", rest):
                values[name] = expanded(value.strip('"'), values)
        elif word == "FROM":
            parent, _, name = rest.partition(" AS ") if " AS " in rest else rest.partition(" as ")
            stage = name.strip() or rest
            stages[stage] = (parent.strip(), [])
        elif word == "RUN" and stage:
            for part in re.split(r"&&|;|\|\|", expanded(rest, values)):
                if re.search(r"\b(pip3?|conda|mamba)\b.* install\b", part) and " uninstall " not in part:
                    stages[stage][1].append(part.split(" install ", 1)[1])
    wanted = next((name for name in stages if name.startswith("sagemaker")), stage)
    words = []
    while wanted in stages:
        wanted, parts = stages.pop(wanted)  # one without a name is called as what it is made from
        words = parts + words
    python = re.match(r"3\.\d+", values.get("PYTHON_SHORT_VERSION") or values.get("PYTHON_VERSION") or "")
    return words, python[0] if python else None, values


def packages(parts):
    """Packages with what their recipe says of the version. The last one that says something counts."""
    found = {}
    for part in parts:
        words = iter(shlex.split(part, comments=True))
        for word in words:
            if word in TAKES_ONE:
                next(words, None)
                continue
            wheel = re.match(r"(?:https?|git\+https?)://.*?/([A-Za-z0-9_]+)-(\d[^-/]*?)(?:%2B[^-]*|\+[^-]*)?-[^/]*\.whl$", word)
            if wheel:
                word = f"{wheel[1]}=={wheel[2]}"
            known = re.fullmatch(r"([A-Za-z][A-Za-z0-9._-]*)(\[[^\]]*\])?((?:[<>=!~]+[^;,<>=!~]+,?)*)(;.*)?", word)
            if not known or "://" in word:
                continue
            name = SAME.get(canonical(known[1]), canonical(known[1]))
            # What only the build says, a tag says too; and builds for one processor are of the same version.
            version = "" if "$" in word else re.sub(r"\+[a-z0-9.]+", "", known[3]).strip()
            version = re.sub(r"(?<=\d)(?=[<>=!~])", ",", version)  # some forget it
            version = f"=={version[1:]}" if re.match(r"=[^=]", version) else version  # conda's
            if version or name not in found:
                found[name] = version
    return found


def compiled(text, python, day, *more):
    return subprocess.run(
        ["uv", "pip", "compile", "-q", "--no-header", *more, "--python-version", f"{python}.15",
         "--python-platform", "x86_64-manylinux_2_28", "--only-binary", ":all:",
         "--exclude-newer", f"{day}T23:59:59Z", "-"],
        input=text, capture_output=True, text=True)


def resolved(wanted, python, day):
    """The versions of these packages, and of what they bring, on that day; none where there was no way."""
    wanted = dict(wanted)
    while wanted:
        text = "".join(f"{name}{version}\n" for name, version in sorted(wanted.items()))
        done = compiled(text, python, day, "--no-annotate")
        if not done.returncode:
            lines = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;]+)", done.stdout, re.M)
            return {canonical(name): version for name, version in lines}
        # The sandbox takes no package that has to be built.
        said = " ".join(done.stderr.split())
        dropped = wanted.keys() & re.findall(
            r"([a-z0-9-]+)(?:[<>=!]+\S+)? (?:(?:has|have) no (?:usable )?wheels|was not found)", said)
        if not dropped:
            print("   ", said[:400], file=sys.stderr)
            return None
        for name in dropped:
            del wanted[name]
    return None


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def record(repository, version, python, day, wanted):
    direct = {name: spec for name, spec in wanted.items() if not LEFT_OUT.match(name)}
    if "opencv-python" in wanted:
        direct["opencv-python-headless"] = wanted["opencv-python"]
    print(repository, version, python, day, len(direct), file=sys.stderr)
    pinned = {name: spec for name, spec in direct.items() if spec.startswith("==") and "*" not in spec}
    versions = resolved(direct, python, day) if python else None
    if versions is None and python:
        # Its steps do not go together: each is right about what it installs.
        kept = {name: spec if re.match("torch|tensorflow|transformers", name) else "" for name, spec in direct.items()}
        versions = resolved(kept, python, day)
    versions = {**(versions or dict.fromkeys({*direct, "numpy"}, "")), **{name: spec[2:] for name, spec in pinned.items()}}
    listed = {name: found.split("+")[0] for name, found in versions.items() if name in direct or name in BROUGHT}
    listed = [f"{name}=={found}" if found else name for name, found in sorted(listed.items())]
    return "\t".join(["i", repository, version, python or "-", *listed])


def weighed(framework, python, day):
    """The wheels of a framework and of what it brings, in megabytes; nothing where there are none or small ones."""
    lock = compiled(f"{framework}\n", python, day, "--format", "pylock.toml").stdout
    megabytes = sum(int(size) for size in re.findall(r"^wheels = \[.*?\bsize = (\d+)", lock, re.M)) // 10**6
    return [f"s\t{framework}\t{megabytes}"] if megabytes >= 100 else []


def images(folder):
    """One image after another: repository, version, Python, day, packages."""
    deep = Clone(folder, "aws/deep-learning-containers")
    pattern = r"(pytorch|tensorflow|huggingface/pytorch|huggingface/tensorflow)/(training|inference)/docker/" \
              r"([\d.]+)/py3\d*/(?:cu\d+/)?Dockerfile\.(cpu|gpu)"
    best = {}
    for path in deep.recipes("master", pattern):
        family, use, version, processor = re.fullmatch(pattern, path).groups()
        if family == "tensorflow" and use == "inference":
            continue  # TensorFlow Serving
        key = (f"{family.replace('/', '-')}-{use}", version)
        best[key] = max(best.get(key, ()), (processor == "cpu", path))
    for (repository, version), (_, path) in best.items():
        parts, python, _ = installed(deep.show("master", path))
        wanted = packages(parts)
        if repository.startswith("huggingface-") and repository.endswith("-training"):
            # Made from the image of the framework.
            below = best.get((repository.removeprefix("huggingface-"), version))
            parts, of_below, _ = installed(deep.show("master", below[1])) if below else ([], None, None)
            # Its patches came on other days than this one's.
            names = {name: spec for name, spec in packages(parts).items() if re.match("torch|tensorflow", name)}
            wanted, python = {**dict.fromkeys(packages(parts), ""), **names, **wanted}, python or of_below
        yield repository, version, python, deep.day("master", path), wanted
    for kind, family, named, branches in (
        ("sagemaker-scikit-learn-container", "sagemaker-scikit-learn", "scikit-learn", ["0.23-1", "1.0-1", "1.2-1"]),
        ("sagemaker-xgboost-container", "sagemaker-xgboost", "xgboost",
         ["0.90-1", "0.90-2", "1.0-1", "1.2-1", "1.2-2", "1.3-1", "1.5-1", "1.7-1"]),
    ):
        clone = Clone(folder, f"aws/{kind}")
        for branch in branches:
            base = installed(clone.show(branch, f"docker/{branch}/base/Dockerfile.cpu"))
            yield *rest(clone, branch, "requirements.txt", family, branch, named, *base),
    for family, named, versions in (("sagemaker-scikit-learn", "scikit-learn", {"1.4-2": "1.4-2-py312"}),
                                    ("sagemaker-xgboost", "xgboost", {"3.0-5": "3.0-5"})):
        for version, place in versions.items():
            at = f"docker/{named.replace('scikit-learn', 'sklearn')}/{place}"
            base = installed(deep.show("main", f"{at}/Dockerfile"))
            yield *rest(deep, "main", f"{at}/requirements.txt", family, version, named, *base),


def rest(clone, revision, path, family, version, named, parts, python, values):
    lines = [line.split("#")[0].strip() for line in clone.show(revision, path).splitlines()]
    # The Dockerfile's come first: it installs what is in none of the requirements (pyarrow).
    wanted = packages(parts + [shlex.quote(line) for line in lines if line])
    number = values.get("XGBOOST_VERSION") or values.get("SKLEARN_VERSION") or version.split("-")[0]
    wanted.setdefault(named, f"=={number}")
    return family, version, python, clone.day(revision, path), wanted


def main():
    folder = pathlib.Path(sys.argv[1]).resolve()
    found = sorted(images(folder), key=lambda i: (i[0], [int(n) for n in re.findall(r"\d+", i[1])]))
    lines = [f"d\t{max(day for _, _, _, day, _ in found)}"]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        records = list(pool.map(lambda image: record(*image), found))
        frameworks = {package: (python, day) for (_, _, python, day, _), line in zip(found, records) if python
                      for package in line.split("\t") if re.match("(torch|tensorflow|xgboost)==", package)}
        weights = pool.map(lambda item: weighed(item[0], *item[1]), sorted(frameworks.items()))
        lines += records + [line for weight in weights for line in weight]
    lines += [f"m\t{module}\t{package}" for module, package in sorted(MODULES.items())]
    here = pathlib.Path(__file__).resolve().parent
    (here / "contents.txt").write_text("".join(f"{line}\n" for line in lines))
    print(f"{len(found)} images", file=sys.stderr)


if __name__ == "__main__":
    main()
