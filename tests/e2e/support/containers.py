"""Plays the part of the containers and instances that moto does not run (design D15).

Watches the endpoint for training jobs and EC2 instances of opsctl and leaves what their programs would leave: the
model archive, and for an instance the result marker, last. Ends when its stdin closes.
"""

import io
import json
import sys
import tarfile
import threading

import boto3

endpoint = sys.argv[1]
session = boto3.Session("test", "test", region_name="us-east-1")
s3, sagemaker, ec2 = (session.client(name, endpoint_url=endpoint) for name in ("s3", "sagemaker", "ec2"))
over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()


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


done = set()
while not over.wait(0.1):
    for job in sagemaker.list_training_jobs()["TrainingJobSummaries"]:
        name = job["TrainingJobName"]
        if name not in done:
            output = sagemaker.describe_training_job(TrainingJobName=name)["OutputDataConfig"]["S3OutputPath"]
            put(f"{output}/{name}", "model.tar.gz", archive())
            done.add(name)
    for reservation in ec2.describe_instances()["Reservations"]:
        for instance in reservation["Instances"]:
            tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
            if "opsctl:job" in tags and instance["InstanceId"] not in done:
                uri = f"{tags['opsctl:output']}/{tags['opsctl:job']}"
                put(uri, "model.tar.gz", archive())
                put(uri, "train.log", b"trained\n")
                put(uri, "result.json", json.dumps({"exit_code": 0, "message": "", "seconds": 12}).encode())
                ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
                done.add(instance["InstanceId"])
