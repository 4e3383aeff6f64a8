"""Plays the part of the containers and instances that moto does not run (docs/decisions/0030).

Watches the endpoint for training jobs and EC2 instances of opsctl and leaves what their programs would leave: the
model archive, and for an instance the result marker, last. Instances go on, so that they can be read back: moto
forgets the disks and the profile of one that ended. Runs until it is killed.
"""

import io
import json
import sys
import tarfile
import time
import traceback

import boto3
from botocore.exceptions import BotoCoreError, ClientError

endpoint = sys.argv[1]
session = boto3.Session("test", "test", region_name="us-east-1")
s3, sagemaker, ec2 = (session.client(name, endpoint_url=endpoint) for name in ("s3", "sagemaker", "ec2"))


def archive():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        content = b"a model"
        info = tarfile.TarInfo("model.npz")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def put(uri, name, body):
    bucket, prefix = uri.removeprefix("s3://").split("/", 1)
    s3.put_object(Bucket=bucket, Key=f"{prefix}/output/{name}", Body=body)


def pages(client, operation, key, **kwargs):
    return [item for page in client.get_paginator(operation).paginate(**kwargs) for item in page[key]]


def look(done):
    for job in pages(sagemaker, "list_training_jobs", "TrainingJobSummaries"):
        name = job["TrainingJobName"]
        if name not in done:
            output = sagemaker.describe_training_job(TrainingJobName=name)["OutputDataConfig"]["S3OutputPath"]
            put(f"{output}/{name}", "model.tar.gz", archive())
            done.add(name)
    for reservation in pages(ec2, "describe_instances", "Reservations"):
        for instance in reservation["Instances"]:
            tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
            if "opsctl:job" in tags and instance["InstanceId"] not in done:
                uri = f"{tags['opsctl:output']}/{tags['opsctl:job']}"
                put(uri, "model.tar.gz", archive())
                put(uri, "train.log", b"trained\n")
                put(uri, "result.json", json.dumps({"exit_code": 0, "message": "", "seconds": 12}).encode())
                done.add(instance["InstanceId"])


seen = set()
while True:
    try:
        look(seen)
    except (BotoCoreError, ClientError):
        traceback.print_exc()  # a project that was destroyed between two calls
    time.sleep(0.1)
