#!/usr/bin/env python3
"""Makes the data that `opsctl check` embeds, from pinned packages of PyPI.

    python3 src/limits/data/build.py         # writes models.txt, images.txt and SOURCES.md beside itself, and src/domain/places.txt

Sources (checked by SHA-256 before use; both Apache-2.0):
  botocore    AWS's service models, which every AWS SDK is made of, and its list of partitions and regions
  sagemaker   the registries of the AWS Deep Learning Containers, and which instance types have a GPU

The output is the same byte for byte for the same sources. It is text, so that a new version shows as a diff of limits.
Fields are separated by tabs.

models.txt, one record a line:
  d DATE                              once, first: the day of botocore's data
  s SERVICE API-VERSION               a service, before its members
  m MEMBER TYPE MIN MAX ENUM PATTERN  a member that opsctl sends, "-" for none; entries of a list or map follow as
                                      MEMBER.* (list), MEMBER.key and MEMBER.value (map)
  e ENUM VALUE...                     the values of an enum
  f ENUM FAMILY SIZE...               the values of an enum of instance types: PREFIX.SIZE for each size
places.txt, one record a line:
  d DATE
  p PARTITION SUFFIX PATTERN          a partition, the suffix of its host names, the form of its regions' names
  r REGION PARTITION                  a region
  a REGION ACCOUNT                    the account whose registry has the AWS Deep Learning Containers there
  g FAMILY                            a family of instance types with a GPU that CUDA knows
images.txt, one record a line (images.py beside this file makes it):
  d DATE
  r SET REGION ACCOUNT                a set of registries: the account whose registry has an image there
  i FAMILY VERSION USE PROCESSOR PYTHON SET REPOSITORY:TAG
                                      an image of a framework; USE is training, inference or both, PROCESSOR cpu, gpu,
                                      graviton or any, PYTHON "-" where the image runs no script
  v FAMILY SHORT VERSION              a shorter version, and the one it stands for
  b NAME VERSION SET REPOSITORY:TAG   a built-in algorithm, which trains and serves
"""
import gzip
import hashlib
import json
import pathlib
import re
import sys
import tempfile

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[up]) for up in (0, 2)]
from pinned import fetch, table  # noqa: E402

import images  # noqa: E402

SOURCES = [
    ("botocore", "1.44.8", "Apache-2.0", "76342a76c338701db80dcb8afe1c9bd079283d6fffbb9d881442abb02a215043"),
    ("sagemaker", "2.257.7", "Apache-2.0", "afa20b13ede5cfa8eac5de2dd51036047d90152224e8309d07f54ee5aefd0a99"),
]
HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
COMPUTED = ROOT / "tests/core/limits/computed.txt"

# A member of a request, as a kind's `bound` and the list of computed ones write it.
MEMBER = re.compile(r'^"?([a-z0-9-]+):([A-Z]\w+)\.([A-Za-z][\w.*]*)"?$')
# Enums of instance types are written by family: most of them are the same few sizes.
OF_INSTANCES = re.compile(r"^(ml\.)?[a-z0-9-]+\.[a-z0-9-]+$")
# Instances whose chip is not NVIDIA's.
OTHER_CHIPS = re.compile(r"^(g4ad|inf|trn|dl)")
GPU_FAMILY = re.compile(r"^(p|g|gr)\d")


def sent():
    """Every member that the drivers put into a request that makes or changes something, by service and operation: what
    kinds bind keys to, and what opsctl computes. The test `every_member_that_is_sent_is_known_and_within_its_limits` holds
    it against what a deploy really sends."""
    words = COMPUTED.read_text().splitlines()
    for path in sorted((ROOT / "src/resources").rglob("*.rs")):
        words += re.findall(r'"[^"\n]*"', path.read_text())
    found = {}
    for service, operation, member in (match.groups() for match in map(MEMBER.match, words) if match):
        # Those of a map's entries come with the map.
        if not member.endswith((".key", ".value")):
            found.setdefault(service, {}).setdefault(operation, set()).add(member)
    return found


def newest_model(wheel, service):
    versions = sorted(n for n in wheel.namelist() if re.fullmatch(rf"botocore/data/{service}/[^/]+/service-2\.json\.gz", n))
    return json.loads(gzip.decompress(wheel.read(versions[-1])))


def shape_of(model, operation, member):
    """The name of the shape that a path of members leads to."""
    shape = model["operations"][operation]["input"]["shape"]
    for part in member.split("."):
        body = model["shapes"][shape]
        shape = body["member"]["shape"] if part == "*" else body["members"][part]["shape"]
    return shape


def records(model, member, shape, enums):
    """The lines of a member, and of the entries of a map or a list of text."""
    body = model["shapes"][shape]
    if body.get("enum"):
        enums[shape] = body["enum"]
    pattern = body.get("pattern", "-")
    assert "\t" not in pattern and "\n" not in pattern, member
    limits = [str(body.get(side, "-")) for side in ("min", "max")]
    yield "\t".join(["m", member, body["type"], *limits, shape if body.get("enum") else "-", pattern])
    if body["type"] == "map":
        for side in ("key", "value"):
            yield from records(model, f"{member}.{side}", body[side]["shape"], enums)


def enum_lines(service, name, values):
    name = f"{service}:{name}"
    if not all(OF_INSTANCES.match(value) for value in values) or len(values) < 100:
        return ["\t".join(["e", name, *values])]
    families = {}
    for value in values:
        family, size = value.rsplit(".", 1)
        families.setdefault(family, []).append(size)
    return ["\t".join(["f", name, family, *sorted(sizes)]) for family, sizes in sorted(families.items())]


def models(wheel, date):
    lines, count, kinds = [f"d\t{date}"], 0, set()
    for service, operations in sorted(sent().items()):
        model = newest_model(wheel, service)
        lines.append(f"s\t{service}\t{model['metadata']['apiVersion']}")
        enums, members = {}, []
        for operation, paths in sorted(operations.items()):
            for path in sorted(paths):
                members += records(model, f"{service}:{operation}.{path}", shape_of(model, operation, path), enums)
        count += len(members)
        lines += members
        for name in sorted(enums):
            lines += enum_lines(service, name, enums[name])
            kinds |= {v.removeprefix("ml.").split(".")[0] for v in enums[name] if OF_INSTANCES.match(v)}
    return lines, count, kinds


def places(botocore, sagemaker, families, date):
    lines = [f"d\t{date}"]
    partitions = json.loads(botocore.read("botocore/data/partitions.json"))["partitions"]
    for partition in partitions:
        lines.append("\t".join(["p", partition["id"], partition["outputs"]["dnsSuffix"], partition["regionRegex"]]))
    regions = sorted((r, p["id"]) for p in partitions for r in p["regions"] if not r.endswith("-global"))
    lines += ["\t".join(["r", region, partition]) for region, partition in regions]
    images = json.loads(sagemaker.read("sagemaker/image_uri_config/pytorch.json"))["training"]["versions"]
    registries = list(images.values())[-1]["registries"]
    lines += ["\t".join(["a", region, account]) for region, account in sorted(registries.items())]
    listed = json.loads(sagemaker.read("sagemaker/image_uri_config/instance_gpu_info.json")).values()
    gpu = {kind.split(".")[1] for region in listed for kind in region}
    gpu |= {f for f in families if GPU_FAMILY.match(f)}
    lines += [f"g\t{family}" for family in sorted(gpu) if not OTHER_CHIPS.match(family)]
    return lines, len(regions)


def write(name, lines):
    raw = "".join(line + "\n" for line in lines).encode()
    (HERE / name).write_bytes(raw)
    return f"| {name} | {len(raw)} | `{hashlib.sha256(raw).hexdigest()}` |\n"


def main():
    with tempfile.TemporaryDirectory() as into:
        wheels = {name: fetch(name, version, sha, into) for name, version, _, sha in SOURCES}
        botocore = wheels["botocore"]
        date = "%04d-%02d-%02d" % max(info.date_time for info in botocore.infolist())[:3]
        model_lines, members, families = models(botocore, date)
        place_lines, regions = places(botocore, wheels["sagemaker"], families, date)
        image_lines, named = images.lines(wheels["sagemaker"], date)
    rows = write("models.txt", model_lines) + write("../../domain/places.txt", place_lines) + write("images.txt", image_lines)
    (HERE / "SOURCES.md").write_text(
        "Made by `build.py`; do not edit.\n\n"
        f"{members} members of {sum(map(len, sent().values()))} operations, {regions} regions, and {named} images, as of {date}.\n\n"
        + table(SOURCES)
        + "\n| file | bytes | SHA-256 |\n|---|---|---|\n"
        + rows
    )
    print(f"{members} members, {regions} regions, {named} images")


if __name__ == "__main__":
    main()
