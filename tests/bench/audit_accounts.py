#!/usr/bin/env python3
"""Makes accounts in a running moto that others have written, and saves their dumps: for `audit_compare.py`, whose moto it uses.

    audit_accounts.py ENDPOINT iam-vulnerable CLONE OUT   # github.com/BishopFox/iam-vulnerable: Terraform, read here
    audit_accounts.py ENDPOINT pathfinding CLONE OUT      # github.com/DataDog/pathfinding.cloud: a role per path

OUT gets dump.json (pages of GetAccountAuthorizationDetails, joined) and truth.json: role → whether it can escalate.
"""
import json
import pathlib
import re
import sys

import boto3

ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
TOKEN = re.compile(r'(?P<space>\s+|#[^\n]*|//[^\n]*)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<name>[\w.\-]+)|(?P<mark>[{}\[\]()=,:])')


def tokens(text):
    at = 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if not match:
            sys.exit(f"not read: {text[at:at + 60]!r}")
        if match.lastgroup != "space":
            yield match.lastgroup, match.group()
        at = match.end()


class Terraform:
    """The part of HCL that iam-vulnerable is written in: blocks, lists, objects, jsonencode, references."""

    def __init__(self, text):
        self.all, self.at = list(tokens(text)), 0

    def peek(self):
        return self.all[self.at] if self.at < len(self.all) else ("end", "")

    def take(self, want=None):
        kind, text = self.peek()
        if want and text != want:
            sys.exit(f"{want} expected, {text} found")
        self.at += 1
        return json.loads(text) if kind == "text" else text

    def body(self):
        """Attributes, and blocks as lists under their name."""
        found = {}
        while self.peek()[1] not in ("}", ""):
            name = self.take()
            if self.peek()[1] in ("=", ":"):
                self.take()
                found[name] = self.value()
                if self.peek()[1] == ",":
                    self.take()
            else:
                labels = []
                while self.peek()[1] != "{":
                    labels.append(self.take())
                self.take("{")
                found.setdefault(name, []).append((labels, self.body()))
                self.take("}")
        return found

    def value(self):
        kind, text = self.peek()
        if text == "{":
            self.take()
            inner = self.body()
            self.take("}")
            return inner
        if text == "[":
            self.take()
            items = []
            while self.peek()[1] != "]":
                items.append(self.value())
                if self.peek()[1] == ",":
                    self.take()
            self.take("]")
            return items
        text = self.take()
        if text == "jsonencode":
            self.take("(")
            inner = self.value()
            self.take(")")
            return inner
        return text if kind == "text" else {"ref": text}


def iam_vulnerable(iam, clone, me):
    found = {}
    folder = pathlib.Path(clone) / "modules/free-resources"
    for path in [*sorted(folder.glob("privesc-paths/*.tf")), *sorted(folder.glob("tool-testing/*.tf"))]:
        read = Terraform(path.read_text()).body()
        found |= {(of, *labels): body for of in ("resource", "data") for labels, body in read.get(of, [])}

    def known(value):
        """A reference's own words: the name of what it names, an ARN, a document."""
        if isinstance(value, list):
            return [known(one) for one in value]
        if not isinstance(value, dict):
            return value
        if set(value) != {"ref"}:
            return {name: known(one) for name, one in value.items()}
        parts = value["ref"].split(".")
        if parts[0] == "var":
            return me.replace(":user/deployer", ":root") if "root" in parts[1] else me
        if parts[0] == "data":
            data = found["data", parts[1], parts[2]]
            return data["arn"] if "arn" in data else document(data)
        kind, name = parts[0], found["resource", parts[0], parts[1]]["name"]
        if parts[-1] == "arn":
            return f"{me.rsplit(':', 1)[0]}:{kind.removeprefix('aws_iam_')}/{name}"
        return name

    def document(data):
        statements = []
        for _, one in data["statement"]:
            statement = {"Effect": one["effect"], "Action": one["actions"], "Resource": one["resources"]}
            for _, condition in one.get("condition", []):
                statement["Condition"] = {condition["test"]: {condition["variable"]: condition["values"]}}
            statements.append(statement)
        return {"Version": "2012-10-17", "Statement": statements}

    def each(kind):
        return [known(body) for (of, name, _), body in found.items() if (of, name) == ("resource", f"aws_iam_{kind}")]

    for policy in each("policy"):
        iam.create_policy(PolicyName=policy["name"], PolicyDocument=json.dumps(policy["policy"]))
    truth = {}
    # A role that trusts another can be made only after it.
    waiting = each("role")
    for role in sorted(waiting, key=lambda role: "assumed" in json.dumps(role)):
        iam.create_role(RoleName=role["name"], AssumeRolePolicyDocument=json.dumps(role["assume_role_policy"]))
        for arn in role.get("managed_policy_arns", []):
            iam.attach_role_policy(RoleName=role["name"], PolicyArn=arn)
        if role["name"].startswith(("privesc", "fn")) and "trust" not in role["name"]:
            truth[role["name"]] = True
        elif role["name"].startswith("fp"):
            truth[role["name"]] = False
    for user in each("user"):
        iam.create_user(UserName=user["name"])
    for group in each("group"):
        iam.create_group(GroupName=group["name"])
    for one in each("role_policy_attachment"):
        iam.attach_role_policy(RoleName=one["role"], PolicyArn=one["policy_arn"])
    for one in each("user_policy_attachment"):
        iam.attach_user_policy(UserName=one["user"], PolicyArn=one["policy_arn"])
    for one in each("group_policy_attachment"):
        iam.attach_group_policy(GroupName=one["group"], PolicyArn=one["policy_arn"])
    for one in each("group_membership"):
        for user in one["users"]:
            iam.add_user_to_group(GroupName=one["group"], UserName=user)
    for one in each("instance_profile"):
        iam.create_instance_profile(InstanceProfileName=one["name"])
        iam.add_role_to_instance_profile(InstanceProfileName=one["name"], RoleName=one["role"])
    return truth


def pathfinding(iam, clone, me):
    """What each path needs, on everything; and the administrator that those with a prerequisite need."""
    paths = json.loads((pathlib.Path(clone) / "docs/paths.json").read_text())
    trusted = {"AWS": me}
    needed = [[path.get("prerequisites"), path["permissions"]] for path in paths]
    services = sorted({"ec2.amazonaws.com", *re.findall(r"\b[a-z.-]+\.amazonaws\.com\b", json.dumps(needed))})
    for name, principal in [("target-of-services", {"Service": services}), ("target-of-users", {"AWS": me.replace(":user/deployer", ":root")})]:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(principal))
        iam.attach_role_policy(RoleName=name, PolicyArn=ADMIN)
    iam.create_instance_profile(InstanceProfileName="of-target")
    iam.add_role_to_instance_profile(InstanceProfileName="of-target", RoleName="target-of-services")
    truth = {}
    for path in paths:
        needs = [one["permission"] for one in path["permissions"]["required"]]
        statement = {"Effect": "Allow", "Action": needs, "Resource": "*"}
        made = iam.create_policy(PolicyName=path["id"], PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
        iam.create_role(RoleName=path["id"], AssumeRolePolicyDocument=trust(trusted))
        iam.attach_role_policy(RoleName=path["id"], PolicyArn=made["Policy"]["Arn"])
        truth[path["id"]] = True
    return truth


def trust(principal):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]})


def main():
    endpoint, which, clone, out = sys.argv[1:]
    iam = boto3.client("iam", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    me = iam.create_user(UserName="deployer")["User"]["Arn"]
    truth = {"iam-vulnerable": iam_vulnerable, "pathfinding": pathfinding}[which](iam, clone, me)
    whole = {}
    for page in iam.get_paginator("get_account_authorization_details").paginate(Filter=["User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy"]):
        for name, entries in page.items():
            if isinstance(entries, list):
                whole.setdefault(name, []).extend(entries)
    # moto lists every policy of AWS, and leaves out the names; AWS lists those in use.
    for number, policy in enumerate(whole["Policies"]):
        name = policy["Arn"].rsplit("/", 1)[-1]
        whole["Policies"][number] = {"PolicyName": name, "PolicyId": f"ANPA{number:017}", "Path": "/", "AttachmentCount": 1, **policy}
    used = set(re.findall(r"arn:aws:iam::[^\"]*:policy/[^\"]+", json.dumps([whole[f"{kind}DetailList"] for kind in ("Role", "User", "Group")], default=str)))
    whole["Policies"] = [policy for policy in whole["Policies"] if policy["Arn"] in used or ":aws:policy/" not in policy["Arn"]]
    out = pathlib.Path(out)
    (out / "dump.json").write_text(json.dumps(whole, default=str))
    (out / "truth.json").write_text(json.dumps(truth, indent=1))
    print(f"{which}: {len(whole['RoleDetailList'])} roles, {len(whole['UserDetailList'])} users, {len(truth)} with a known truth")


if __name__ == "__main__":
    main()
