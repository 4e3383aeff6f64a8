#!/usr/bin/env python3
"""Makes requests.txt: what AWS's models say of the requests that the sandbox answers.

    python3 src/sandbox/model/build.py       # writes requests.txt and SOURCES.md beside itself

Which operations those are stands in docs/inside/sandbox-operations.md, which a test writes. The package is pinned,
by version and SHA-256, in src/limits/data/build.py: `opsctl check` and the sandbox know the same AWS.

The output is the same byte for byte for the same source. Fields are separated by tabs, "-" is none.

  d DATE                                   once, first: the day of the data
  s SERVICE VERSION                        a service by the sandbox's name, with the version of its API
  c OPERATION                              an operation that needs a checksum of its request
  o OPERATION SHAPE                        an operation and the shape of its input, if it has one
  t SHAPE TYPE MIN MAX PATTERN MORE...     a shape that an input is made of. More is, for a
                                             structure  its members, NAME:SHAPE each, as the wire names them, with ! when
                                                        required and ~ when the wire has it as text (path and query)
                                             list       the shape of its items
                                             map        the shapes of its keys and of its values
                                             string     the values of an enum; PREFIX.{A,B} are two of them
Members that the wire has in headers or as the whole payload are left out: the sandbox reads those by hand.
"""
import importlib.util
import pathlib
import re
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PAGE = HERE.parents[2] / "docs/inside/sandbox-operations.md"
LIMITS = HERE.parent.parent / "limits/data/build.py"
spec = importlib.util.spec_from_file_location("limits", LIMITS)
limits = importlib.util.module_from_spec(spec)
spec.loader.exec_module(limits)

# The sandbox's names of services (their IAM prefixes) where botocore's differ.
FOLDERS = {"servicequotas": "service-quotas", "tagging": "resourcegroupstaggingapi"}
# What is no operation of AWS: the other ends of the URLs that GetFunction and GetFunctionUrlConfig show.
OWN = {"GetCode", "InvokeFunctionUrl"}


def operations():
    """`## service` and then `- Operation` lines."""
    service, found = None, {}
    for line in PAGE.read_text().splitlines():
        if line.startswith("## "):
            service = found.setdefault(line.split()[1], [])
        elif line.startswith("- "):
            service.append(line[2:].strip())
    return found


def wire_name(protocol, name, member):
    """As the request has it, once the sandbox has taken the protocol off."""
    if protocol == "ec2":
        given = member.get("locationName")
        return member.get("queryName") or (given and given[0].upper() + given[1:]) or name
    return member.get("locationName", name)


def values(enum):
    if len(enum) < 100 or not all(limits.OF_INSTANCES.match(value) for value in enum):
        return enum
    families = {}
    for value in enum:
        family, size = value.rsplit(".", 1)
        families.setdefault(family, []).append(size)
    return [f"{family}.{{{','.join(sorted(sizes))}}}" for family, sizes in sorted(families.items())]


def record(model, name, protocol):
    """The line of a shape, and the shapes that it is made of."""
    body, more, inner = model["shapes"][name], [], []
    if body["type"] == "structure":
        for member, it in body["members"].items():
            place = it.get("location")
            if place in ("header", "headers", "statusCode") or body.get("payload") == member:
                continue
            marks = ("!" if member in body.get("required", []) else "") + ("~" if place in ("uri", "querystring") else "")
            more.append(f"{wire_name(protocol, member, it)}:{it['shape']}{marks}")
            inner.append(it["shape"])
    elif body["type"] == "list":
        more = inner = [body["member"]["shape"]]
    elif body["type"] == "map":
        more = inner = [body["key"]["shape"], body["value"]["shape"]]
    elif body.get("enum"):
        more = values(body["enum"])
    kind = "document" if body.get("document") else body["type"]
    pattern = body.get("pattern", "-")
    # Nothing here looks ahead for what must be there: one pattern of AWS's does, of a parameter for EventBridge.
    pattern = "-" if pattern.startswith("(?=") else pattern
    # One of Lambda's is in parentheses as a whole, where what looks ahead is not at the top.
    pattern = pattern[1:-1] if pattern.startswith("((?!") and pattern.endswith("$)") else pattern
    # Nothing here looks ahead within a group: one of Lambda's does, and its operations refuse versions themselves.
    pattern = pattern.replace("((?!\\d+$)", "(")
    fields = [kind, *(str(body.get(side, "-")) for side in ("min", "max")), pattern, *more]
    assert not any(re.search(r"[\t\n]", field) for field in fields), name
    return "\t".join(["t", name, *fields]), inner


def lines_of(wheel, service, names):
    model = limits.newest_model(wheel, FOLDERS.get(service, service))
    protocol = model["metadata"]["protocol"]
    lines, waiting, done = [f"s\t{service}\t{model['metadata']['apiVersion']}"], [], set()
    for name in sorted(set(names) - OWN):
        operation = model["operations"][name]
        if operation.get("httpChecksumRequired") or operation.get("httpChecksum", {}).get("requestChecksumRequired"):
            lines.append(f"c\t{name}")
        if protocol != "rest-xml":
            shape = operation.get("input", {}).get("shape", "-")
            lines.append(f"o\t{name}\t{shape}")
            waiting += [shape] if shape != "-" else []
    while waiting:
        name = waiting.pop(0)
        if name not in done:
            done.add(name)
            line, inner = record(model, name, protocol)
            lines.append(line)
            waiting += inner
    return lines


def main():
    (name, version, _, sha), *_ = limits.SOURCES
    with tempfile.TemporaryDirectory() as into:
        wheel = limits.fetch(name, version, sha, into)
        date = "%04d-%02d-%02d" % max(info.date_time for info in wheel.infolist())[:3]
        lines = [f"d\t{date}"]
        for service, names in sorted(operations().items()):
            lines += lines_of(wheel, service, names)
    raw = "".join(line + "\n" for line in lines).encode()
    (HERE / "requests.txt").write_bytes(raw)
    shapes = sum(line.startswith("t\t") for line in lines)
    (HERE / "SOURCES.md").write_text(
        "Made by `build.py`; do not edit.\n\n"
        f"{shapes} shapes of {len(operations())} services, as of {date}.\n\n"
        + limits.table(limits.SOURCES[:1])
    )
    print(f"{shapes} shapes, {len(raw)} bytes")


if __name__ == "__main__":
    main()
