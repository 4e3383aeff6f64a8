#!/usr/bin/env python3
"""Makes the table of what auditors' frameworks call a fault, from Prowler's package of PyPI and AWS's pages of Security Hub.

    python3 src/audit/data/build.py            # writes controls.txt and SOURCES.md beside itself
    python3 src/audit/data/build.py --from DIR # reads AWS's pages from DIR instead, where each has its name below

A control is one of Security Hub (`IAM.1`) or a check of Prowler (`kms_key_not_publicly_accessible`). Those that
`../compliance.rs` names are in the table, and no other.

From AWS's pages come the related requirements of its controls, and which standards have them. From Prowler comes the CIS
benchmark only, of which it has versions that AWS does not map. Prowler's other mappings are left out: its ids of PCI DSS 4.0
are its own numbers (1.2.8.33), those of NIST 800-53 name enhancements that no policy can meet (AC-3(3)(b)(4), mandatory access
control), and its list of AWS's best practices has no checks for IAM.21, KMS.1, KMS.2 and SNS.4, and lacks SQS.3.

controls.txt, one record a line:
  d DATE              once, first: the day AWS's pages were read
  c CONTROL           a control, before its requirements
  r REQUIREMENT       what it is called in a framework: the framework, its version, the number
"""
import datetime
import json
import pathlib
import re
import sys
import tempfile
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from pinned import fetch, table  # noqa: E402

SOURCES = [("prowler", "5.46.0", "Apache-2.0", "b6266ec51f2879863d4c4341b12885a6cd892f0bba710b29641432caaab037fd")]
PAGES = "https://docs.aws.amazon.com/securityhub/latest/userguide/"
# The page of a service has its controls, the page of a standard those that it has.
SERVICES = ["iam", "kms", "lambda", "s3", "sns", "sqs"]
STANDARDS = {"fsbp-standard": "FSBP", "standards-tagging": "AWS Resource Tagging Standard v1.0.0"}
HERE = pathlib.Path(__file__).resolve().parent
AWS_CONTROL = re.compile(r"^[A-Z][A-Za-z0-9]*\.\d+$")


def named():
    """The controls that the rules are about."""
    return sorted(set(re.findall(r'"([A-Z][A-Za-z0-9]*\.\d+|[a-z0-9]+_[a-z0-9_]+)"', (HERE.parent / "compliance.rs").read_text())))


def page(name, folder):
    if folder:
        return (pathlib.Path(folder) / f"{name}.md").read_text()
    with urllib.request.urlopen(f"{PAGES}{name}.md") as answer:
        return answer.read().decode()


def spelled(requirement):
    """AWS writes `NIST.800-53.r5 AC-2` and `PCI DSS v3.2.1/7.2.1`; the report has one form."""
    text = re.sub(r"^NIST\.(\S+)\.r(\d+) ", r"NIST \1 r\2 ", " ".join(requirement.split()))
    return text.replace("CIS AWS Foundations Benchmark", "CIS AWS Foundations").replace("/", " ")


def from_aws(found, folder):
    for service in SERVICES:
        for part in re.split(r"^## ", page(f"{service}-controls", folder), flags=re.M)[1:]:
            control = re.match(r"\\?\[(\S+?)\\?\]", part)
            related = re.search(r"\*\*Related requirements:\*\*(.*?)\n\n", part, re.S)
            if control and control.group(1) in found and related:
                found[control.group(1)] |= {spelled(one) for one in related.group(1).split(",")}
    for name, standard in STANDARDS.items():
        for control in re.findall(r"\[([A-Za-z0-9]+\.\d+)\\?\]", page(name, folder)):
            if control in found:
                found[control].add(f"{standard} {control}")


def from_prowler(found, wheel):
    for path in wheel.namelist():
        if re.fullmatch(r"prowler/compliance/aws/cis_[0-9.]+_aws\.json", path):
            framework = json.loads(wheel.read(path))
            version = ".".join((framework["Version"].split(".") + ["0"])[:3])
            for requirement in framework["Requirements"]:
                for check in set(requirement["Checks"]) & set(found):
                    found[check].add(f"CIS AWS Foundations v{version} {requirement['Id']}")


def order(requirement):
    """By framework and number: 1.9 before 1.22, AC-3(7) before AC-3(15)."""
    return [(int(part) if part.isdigit() else -1, part) for part in re.split(r"(\d+)", requirement)]


def main():
    folder = sys.argv[2] if sys.argv[1:2] == ["--from"] else None
    found = {control: set() for control in named()}
    from_aws(found, folder)
    with tempfile.TemporaryDirectory() as into:
        from_prowler(found, fetch(*SOURCES[0][:2], SOURCES[0][3], into))
    if empty := [control for control, requirements in found.items() if not requirements]:
        sys.exit(f"no framework has {', '.join(empty)}")

    today = datetime.date.today().isoformat()
    lines = [f"d {today}"]
    for control in sorted(found):
        lines += [f"c {control}", *(f"r {text}" for text in sorted(found[control], key=order))]
    (HERE / "controls.txt").write_text("".join(line + "\n" for line in lines))
    aws = [control for control in found if AWS_CONTROL.match(control)]
    pages = [f"{service}-controls" for service in SERVICES] + list(STANDARDS)
    (HERE / "SOURCES.md").write_text(
        "Made by `build.py`; do not edit.\n\n"
        f"{len(aws)} controls of AWS Security Hub and {len(found) - len(aws)} checks of Prowler, as of {today}.\n\n"
        + table(SOURCES)
        + f"\nPages of AWS, read on that day{' in copies of them' if folder else ''}:\n\n"
        + "".join(f"- <{PAGES}{name}.html>\n" for name in pages)
    )
    print(f"{len(found)} controls, {sum(map(len, found.values()))} requirements")


if __name__ == "__main__":
    main()
