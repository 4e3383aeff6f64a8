"""Amazon's SageMaker Python SDK as its users write it, against the sandbox that AWS_ENDPOINT_URL names.

Writes one JSON document: what a reader of the test wants to see. `programs.py` stands before it: TRAIN, INFERENCE.
"""

import json
import pathlib
import sys

# The SDK writes to stdout, from its import on.
stdout, sys.stdout = sys.stdout, sys.stderr

import boto3
import sagemaker
from sagemaker.deserializers import JSONDeserializer
from sagemaker.pytorch import PyTorch
from sagemaker.serializers import JSONSerializer


def role(iam):
    statement = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    made = iam.create_role(RoleName="sdk", AssumeRolePolicyDocument=trust)
    iam.attach_role_policy(RoleName="sdk", PolicyArn="arn:aws:iam::aws:policy/AmazonSageMakerFullAccess")
    return made["Role"]["Arn"]


def main():
    pathlib.Path("code").mkdir()
    pathlib.Path("code/train.py").write_text(TRAIN)
    pathlib.Path("code/inference.py").write_text(INFERENCE)
    pathlib.Path("points").mkdir()
    pathlib.Path("points/points.csv").write_text("1,5\n2,8\n4,14\n")

    # With a bucket of its own: without, the SDK asks STS at an address that it builds itself, which is AWS's.
    session = sagemaker.Session(boto3.Session(), default_bucket="sagemaker-sdk")
    data = session.upload_data("points", key_prefix="points")
    estimator = PyTorch(
        entry_point="train.py",
        source_dir="code",
        framework_version="2.6.0",
        py_version="py312",
        role=role(boto3.client("iam")),
        instance_type="ml.m5.large",
        instance_count=1,
        hyperparameters={"offset": 2},
        metric_definitions=[{"Name": "slope", "Regex": "slope=([0-9.]+)"}],
        sagemaker_session=session,
    )
    estimator.fit({"points": data})
    job = boto3.client("sagemaker").describe_training_job(TrainingJobName=estimator.latest_training_job.name)
    predictor = estimator.deploy(
        entry_point="inference.py",
        source_dir="code",
        initial_instance_count=1,
        instance_type="ml.m5.large",
        serializer=JSONSerializer(),
        deserializer=JSONDeserializer(),
    )
    report = {
        "sdk": sagemaker.__version__,
        "job": job["TrainingJobStatus"],
        "metrics": {metric["MetricName"]: metric["Value"] for metric in job["FinalMetricDataList"]},
        "answer": predictor.predict(10),
    }
    predictor.delete_model()
    predictor.delete_endpoint()
    client = boto3.client("sagemaker")
    client.get_waiter("endpoint_deleted").wait(EndpointName=predictor.endpoint_name, WaiterConfig={"Delay": 1})
    left = client.list_endpoints()["Endpoints"] + client.list_endpoint_configs()["EndpointConfigs"]
    report["left"] = [str(one) for one in left + client.list_models()["Models"]]
    return report


json.dump(main(), stdout)
