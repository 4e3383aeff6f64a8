"""The images of frameworks and built-in algorithms, from the tables of Amazon's SageMaker Python SDK.

The rules for tags are those of `sagemaker.image_uris.retrieve`; `python3 src/limits/data/images.py` installs that package
into a folder of its own and holds every line of images.txt against what it answers.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import venv

FRAMEWORKS = ["autogluon", "huggingface", "mxnet", "pytorch", "sklearn", "tensorflow", "xgboost"]
# https://docs.aws.amazon.com/sagemaker/latest/dg/algos.html; `xgboost` has versions and is in the framework's table.
ALGORITHMS = [
    "blazingtext", "factorization-machines", "forecasting-deepar", "image-classification", "ipinsights", "kmeans", "knn",
    "lda", "linear-learner", "ntm", "object-detection", "object2vec", "pca", "randomcutforest", "semantic-segmentation",
    "seq2seq",
]
SCOPES = {"training": "training", "inference": "inference", "inference_graviton": "inference"}
GRAVITON = {"sklearn", "xgboost"}  # their tags for it are in the SDK's code, not in its tables


def numbers(version):
    return tuple(int(n) for n in re.findall(r"\d+", version))


def newest_python(versions):
    """The newest Python 3 among `py3`, `py36`, `py312`; `None` where there is only Python 2."""
    threes = [v for v in versions if v.startswith("py3")]
    return max(threes, key=lambda v: (int(v[3:] or 0)), default=None)


def images_of(family, scope, config):
    """One image after another: version, processor, Python, registries, repository and tag."""
    for version, body in config["versions"].items():
        if family == "huggingface":
            bases = [k for k in body if k.startswith("pytorch")]
            if not bases:
                continue
            base = max(bases, key=numbers)
            body, prefix = body[base], f"{base.removeprefix('pytorch')}-transformers{version}"
        else:
            prefix = body.get("tag_prefix", version)
        python = None
        if "repository" not in body:
            python = newest_python(body)
            if not python:
                continue
            body = body[python]
        elif body.get("py_versions"):
            python = newest_python(body["py_versions"])
            if not python:
                continue
        for processor in config.get("processors") or body.get("processors") or [None]:
            container = (body.get("container_version") or {}).get(processor)
            if body["repository"].endswith("-inference-graviton"):
                container = f"{container}-sagemaker"
            tag = "-".join(part for part in (prefix, processor, python, container) if part)
            known = "graviton" if scope == "inference_graviton" else processor or "any"
            yield version, known, python or "-", body["registries"], f"{body['repository']}:{tag}"


def lines(wheel, date):
    """The lines of images.txt, and how many images they list."""
    sets, out, count = {}, [], 0

    def number(registries):
        return sets.setdefault(tuple(sorted(registries.items())), str(len(sets)))

    def table(name):
        return json.loads(wheel.read(f"sagemaker/image_uri_config/{name}.json"))

    for family in FRAMEWORKS:
        config = table(family)
        short, rows = {}, {}
        for scope, use in SCOPES.items():
            if scope not in config or (family in GRAVITON and scope == "inference_graviton"):
                continue
            for version, processor, python, registries, image in images_of(family, scope, config[scope]):
                if version[0] == "1" and family == "xgboost" and "." not in version:
                    continue  # the algorithm of 2018, of which the repository has another name
                rows.setdefault((numbers(version), version, processor, python, number(registries), image), []).append(use)
            for alias, version in config[scope].get("version_aliases", {}).items():
                short.setdefault(alias, set()).add((numbers(version), version, use))
        for (_, version, processor, python, registry, image), uses in sorted(rows.items()):
            use = "both" if len(set(uses)) == 2 else uses[0]
            out.append("\t".join(["i", family, version, use, processor, python, registry, image]))
            count += 1
            for alias in (version.split("-")[0],) if "-" in version else ():
                short.setdefault(alias, set()).add((numbers(version), version, "any"))
        for alias, versions in sorted(short.items(), key=lambda item: numbers(item[0])):
            if re.fullmatch(r"\d[\d.]*", alias):
                # By what it is for, as `1.26` may be another patch for training than for hosting.
                for version in sorted({(n, v) for n, v, _ in versions}):
                    if version[1] != alias:
                        out.append("\t".join(["v", family, alias, version[1]]))
    for name in ALGORITHMS:
        ((version, body),) = table(name)["versions"].items()
        out.append("\t".join(["b", name, version, number(body["registries"]), f"{body['repository']}:{version}"]))
        count += 1
    registries = [
        "\t".join(["r", name, region, account]) for accounts, name in sets.items() for region, account in accounts
    ]
    return [f"d\t{date}", *registries, *out], count


CHECK = """
import sys
from sagemaker import image_uris
accounts, wrong, held = {}, 0, 0
for line in open(sys.argv[1]):
    kind, *f = line.rstrip("\\n").split("\\t")
    if kind == "r":
        accounts.setdefault(f[0], []).append(tuple(f[1:]))
    if kind not in "ib":
        continue
    for region, account in accounts[f[5] if kind == "i" else f[2]]:
        if region not in ("us-east-1", "eu-south-1", "cn-north-1", "us-gov-west-1", "me-central-1"):
            continue
        if kind == "b":
            got = image_uris.retrieve(f[0], region, version=f[1])
        else:
            family, version, use, processor, python = f[:5]
            image = f[6]
            more = {}
            if family == "huggingface":
                base = "pytorch" + image.split(":")[1].split("-transformers")[0]
                more = {"base_framework_version": base}
            scope = {"graviton": "inference_graviton"}.get(processor, "training" if use == "both" else use)
            kind_of = {"gpu": "ml.g5.xlarge", "graviton": "ml.c7g.large"}.get(processor, "ml.m5.large")
            got = image_uris.retrieve(family, region, version=version, py_version=None if python == "-" else python,
                                      instance_type=kind_of, image_scope=scope, **more)
        held += 1
        host, repository = got.split("/", 1)
        if (host.split(".")[0], repository) != (account, f[-1]):
            wrong += 1
            print(line.strip(), "is", got)
print(f"{held} answers held against the SDK, {wrong} differ")
sys.exit(wrong > 0)
"""


def main():
    here = pathlib.Path(__file__).resolve().parent
    with tempfile.TemporaryDirectory() as into:
        venv.create(into, with_pip=True)
        python = f"{into}/bin/python"
        from build import SOURCES

        (version,) = [version for name, version, *_ in SOURCES if name == "sagemaker"]
        subprocess.run([python, "-m", "pip", "install", "-q", f"sagemaker=={version}"], check=True)
        sys.exit(subprocess.run([python, "-c", CHECK, str(here / "images.txt")]).returncode)


if __name__ == "__main__":
    main()
