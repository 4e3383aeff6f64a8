"""Prints everything of one project as JSON, read with boto3: what AWS's own SDK sees of what opsctl made.

Usage: read_back.py ENDPOINT LAMBDA_ENDPOINT PROJECT NOTEBOOK… What is called PROJECT-dev-… belongs to the project, for roles
the path, for instances and training jobs the tags. Answers are given as AWS gives them, without the metadata.
"""

import base64
import datetime
import io
import json
import sys
import tarfile
import zipfile
from urllib.request import urlopen

import boto3
from botocore.exceptions import ClientError

ENDPOINT, LAMBDA, PROJECT, *NOTEBOOKS = sys.argv[1:]
PREFIX = f"{PROJECT}-dev-"
OURS = {"opsctl:project": PROJECT, "opsctl:environment": "dev"}
session = boto3.Session("test", "test", region_name="us-east-1")


def client(service):
    return session.client(service, endpoint_url=LAMBDA if service == "lambda" else ENDPOINT)


def answer(call, **kwargs):
    """The answer of a call, or the error code."""
    try:
        found = call(**kwargs)
    except ClientError as error:
        return {"error": error.response["Error"]["Code"]}
    return {key: value for key, value in found.items() if key != "ResponseMetadata"}


def every(service, operation, key, **kwargs):
    return [item for page in service.get_paginator(operation).paginate(**kwargs) for item in page.get(key) or []]


def tags(pairs):
    return {pair["Key"]: pair["Value"] for pair in pairs}


def ours(found):
    return OURS.items() <= found.items()


def buckets():
    s3 = client("s3")
    found = {}
    for bucket in [b["Name"] for b in s3.list_buckets()["Buckets"] if b["Name"].startswith(PREFIX)]:
        objects = every(s3, "list_object_versions", "Versions", Bucket=bucket)
        found[bucket] = {
            "tags": tags(answer(s3.get_bucket_tagging, Bucket=bucket).get("TagSet", [])),
            "public_access": answer(s3.get_public_access_block, Bucket=bucket),
            "encryption": answer(s3.get_bucket_encryption, Bucket=bucket),
            "versioning": answer(s3.get_bucket_versioning, Bucket=bucket),
            "policy": json.loads(answer(s3.get_bucket_policy, Bucket=bucket).get("Policy", "null")),
            "lifecycle": answer(s3.get_bucket_lifecycle_configuration, Bucket=bucket),
            # The lease is a file that comes and goes.
            "keys": sorted({o["Key"] for o in objects} - {".opsctl/lease.json"}),
            "archives": {o["Key"]: members(s3, bucket, o["Key"]) for o in objects if o["Key"].endswith(".tar.gz")},
        }
    return found


def members(s3, bucket, key):
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        return sorted(tar.getnames())


def roles():
    iam = client("iam")
    found = {}
    for role in every(iam, "list_roles", "Roles", PathPrefix=f"/opsctl/{PROJECT}/"):
        name = role["RoleName"]
        inline = every(iam, "list_role_policies", "PolicyNames", RoleName=name)
        profiles = every(iam, "list_instance_profiles_for_role", "InstanceProfiles", RoleName=name)
        found[name] = {
            "path": role["Path"],
            "tags": tags(iam.get_role(RoleName=name)["Role"].get("Tags", [])),
            "trust": role["AssumeRolePolicyDocument"],
            "attached": every(iam, "list_attached_role_policies", "AttachedPolicies", RoleName=name),
            "inline": {p: iam.get_role_policy(RoleName=name, PolicyName=p)["PolicyDocument"] for p in inline},
            "profiles": [p["Arn"] for p in profiles],
        }
    return found


def sagemaker():
    service = client("sagemaker")
    kinds = {
        "training_jobs": ("list_training_jobs", "TrainingJobSummaries", "TrainingJob"),
        "models": ("list_models", "Models", "Model"),
        "endpoint_configs": ("list_endpoint_configs", "EndpointConfigs", "EndpointConfig"),
        "endpoints": ("list_endpoints", "Endpoints", "Endpoint"),
        "notebooks": ("list_notebook_instances", "NotebookInstances", "NotebookInstance"),
    }
    found = {}
    for kind, (list_all, key, word) in kinds.items():
        describe = getattr(service, "describe_" + list_all.removeprefix("list_").removesuffix("s"))
        names = [item[f"{word}Name"] for item in every(service, list_all, key)]
        found[kind] = {}
        for name in [name for name in names if name.startswith(PREFIX)]:
            described = answer(describe, **{f"{word}Name": name})
            arn = described.get(f"{word}Arn")
            described["tags"] = tags(every(service, "list_tags", "Tags", ResourceArn=arn)) if arn else {}
            # Records of jobs that cannot be deleted stay; without our tags they are nobody's.
            if kind != "training_jobs" or ours(described["tags"]):
                found[kind][name] = described
    # moto cannot list these, so they are asked for by the names of the notebooks.
    describe = service.describe_notebook_instance_lifecycle_config
    scripts = {name: answer(describe, NotebookInstanceLifecycleConfigName=f"{PREFIX}{name}") for name in NOTEBOOKS}
    found["lifecycle_configs"] = {name: script for name, script in scripts.items() if "error" not in script}
    return found


def scaling():
    service = client("application-autoscaling")
    lists = {"targets": "ScalableTargets", "policies": "ScalingPolicies"}
    calls = {"targets": "describe_scalable_targets", "policies": "describe_scaling_policies"}
    found = {what: every(service, calls[what], key, ServiceNamespace="sagemaker") for what, key in lists.items()}
    return {what: [i for i in items if f"/{PREFIX}" in i["ResourceId"]] for what, items in found.items()}


def provisioned(service, function, qualifier):
    found = answer(service.get_provisioned_concurrency_config, FunctionName=function, Qualifier=qualifier)
    return found.get("RequestedProvisionedConcurrentExecutions", 0)


def functions():
    service = client("lambda")
    found = {}
    for name in [f["FunctionName"] for f in every(service, "list_functions", "Functions")]:
        if name.startswith(PREFIX):
            got = answer(service.get_function, FunctionName=name)
            code = zipfile.ZipFile(io.BytesIO(urlopen(got["Code"]["Location"]).read()))
            aliases = {a["Name"]: a for a in every(service, "list_aliases", "Aliases", FunctionName=name)}
            versions = [v["Version"] for v in every(service, "list_versions_by_function", "Versions", FunctionName=name)]
            qualifiers = [*aliases, *versions]
            found[name] = {
                "configuration": got["Configuration"],
                "tags": got.get("Tags", {}),
                "files": sorted(code.namelist()),
                "aliases": aliases,
                "versions": versions,
                "provisioned": {q: provisioned(service, name, q) for q in qualifiers},
            }
    return found


def instances():
    ec2 = client("ec2")
    found = []
    for reservation in every(ec2, "describe_instances", "Reservations"):
        for instance in reservation["Instances"]:
            if ours(tags(instance.get("Tags", []))):
                one = instance["InstanceId"]
                data = ec2.describe_instance_attribute(InstanceId=one, Attribute="userData")["UserData"].get("Value")
                shutdown = ec2.describe_instance_attribute(
                    InstanceId=one, Attribute="instanceInitiatedShutdownBehavior"
                )
                disks = [mapping["Ebs"]["VolumeId"] for mapping in instance["BlockDeviceMappings"]]
                instance["volumes"] = ec2.describe_volumes(VolumeIds=disks)["Volumes"] if disks else []
                instance["tags"] = tags(instance["Tags"])
                instance["user_data"] = base64.b64decode(data or "").decode()
                instance["on_shutdown"] = shutdown["InstanceInitiatedShutdownBehavior"].get("Value")
                found.append(instance)
    return found


def log_groups():
    logs = client("logs")
    found = {}
    for group in every(logs, "describe_log_groups", "logGroups"):
        name = group["logGroupName"]
        if name.rsplit("/", 1)[-1].startswith(PREFIX):
            group["tags"] = logs.list_tags_log_group(logGroupName=name)["tags"]
            found[name] = group
    return found


def plain(value):
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    return str(value)


json.dump(
    {
        "account": client("sts").get_caller_identity()["Account"],
        "buckets": buckets(),
        "roles": roles(),
        **sagemaker(),
        "scaling": scaling(),
        "functions": functions(),
        "instances": instances(),
        "log_groups": log_groups(),
    },
    sys.stdout,
    default=plain,
)
