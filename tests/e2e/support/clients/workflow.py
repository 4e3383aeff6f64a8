"""The whole workflow as a user of boto3 writes it, against the sandbox that AWS_ENDPOINT_URL names.

Nothing here knows that it is a sandbox, but for the waiters, which ask more often than AWS would like. Writes one JSON
document: what a reader of the test wants to see. `programs.py` stands before it: TRAIN, INFERENCE.
"""

import base64
import concurrent.futures
import io
import json
import sys
import tarfile
import time
import zipfile

import boto3
from botocore.exceptions import ClientError

HANDLER = """
import json, os
import boto3
runtime = boto3.client("sagemaker-runtime")
def handler(event, context):
    answer = runtime.invoke_endpoint(
        EndpointName=os.environ["ENDPOINT"], ContentType="application/json", Body=json.dumps(event["x"]))
    return {"y": json.load(answer["Body"])["y"], "version": context.function_version,
            "initialization": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]}
"""

REGION = "us-east-1"
IMAGE = f"763104351884.dkr.ecr.{REGION}.amazonaws.com/pytorch-"
NAME = "line"


def trust(service):
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def tar(name, text):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(text)
        archive.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


def package(name, text):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, text)
    return buffer.getvalue()


def once_assumable(call, **arguments):
    """A new role cannot be assumed at once: what every client of the real AWS does."""
    for _ in range(100):
        try:
            return call(**arguments)
        except ClientError as error:
            if "assume" not in error.response["Error"]["Message"]:
                raise
            time.sleep(0.2)
    raise TimeoutError("the role cannot be assumed")


def main():
    client = lambda service: boto3.client(service, region_name=REGION)
    s3, iam, sagemaker = client("s3"), client("iam"), client("sagemaker")
    functions, scaling, logs = client("lambda"), client("application-autoscaling"), client("logs")
    runtime, cloudwatch = client("sagemaker-runtime"), client("cloudwatch")
    often = {"Delay": 1, "MaxAttempts": 900}
    report = {"account": client("sts").get_caller_identity()["Account"]}

    bucket = "line-data"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="points/points.csv", Body=b"1,5\n2,8\n4,14\n")
    s3.upload_fileobj(io.BytesIO(tar("train.py", TRAIN)), bucket, "code/train.tar.gz")
    s3.upload_fileobj(io.BytesIO(tar("inference.py", INFERENCE)), bucket, "code/serve.tar.gz")

    roles = {}
    for service in ["sagemaker", "lambda"]:
        role = iam.create_role(RoleName=f"{NAME}-{service}", AssumeRolePolicyDocument=trust(f"{service}.amazonaws.com"))
        roles[service] = role["Role"]["Arn"]
        actions = ["s3:ListBucket", "s3:GetObject", "s3:PutObject", "sagemaker:InvokeEndpoint"]
        actions += [f"logs:{action}" for action in ("CreateLogGroup", "CreateLogStream", "PutLogEvents")]
        allowed = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        iam.put_role_policy(RoleName=f"{NAME}-{service}", PolicyName="all", PolicyDocument=policy)

    once_assumable(
        sagemaker.create_training_job,
        TrainingJobName=NAME,
        RoleArn=roles["sagemaker"],
        AlgorithmSpecification={
            "TrainingImage": f"{IMAGE}training:2.6.0-cpu-py312",
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "slope", "Regex": "slope=([0-9.]+)"}],
        },
        HyperParameters={
            "sagemaker_program": "train.py",
            "sagemaker_submit_directory": f"s3://{bucket}/code/train.tar.gz",
            "offset": "2",
        },
        InputDataConfig=[{
            "ChannelName": "points",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/points/"}},
        }],
        OutputDataConfig={"S3OutputPath": f"s3://{bucket}/jobs"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
        StoppingCondition={"MaxRuntimeInSeconds": 36000},
    )
    sagemaker.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName=NAME, WaiterConfig=often)
    job = sagemaker.describe_training_job(TrainingJobName=NAME)
    report["job"] = {name: job.get(name) for name in ["TrainingJobStatus", "FailureReason"]}
    report["metrics"] = {metric["MetricName"]: metric["Value"] for metric in job.get("FinalMetricDataList", [])}
    group = "/aws/sagemaker/TrainingJobs"
    stream = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{NAME}/")["logStreams"][0]
    events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)
    report["log"] = [event["message"] for event in events["events"]]

    sagemaker.create_model(
        ModelName=NAME,
        ExecutionRoleArn=roles["sagemaker"],
        PrimaryContainer={
            "Image": f"{IMAGE}inference:2.6.0-cpu-py312",
            "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"],
            "Environment": {
                "SAGEMAKER_PROGRAM": "inference.py",
                "SAGEMAKER_SUBMIT_DIRECTORY": f"s3://{bucket}/code/serve.tar.gz",
            },
        },
    )
    variant = {"VariantName": "main", "ModelName": NAME, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName=NAME, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=NAME, EndpointConfigName=NAME)
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=NAME, WaiterConfig=often)
    answer = runtime.invoke_endpoint(EndpointName=NAME, ContentType="application/json", Body="10")
    report["endpoint"] = json.load(answer["Body"])

    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{NAME}/variant/main",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2)
    scaling.put_scaling_policy(
        **target,
        PolicyName=NAME,
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 2,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
        },
    )
    alarms = cloudwatch.describe_alarms(AlarmNamePrefix=f"TargetTracking-endpoint/{NAME}/")["MetricAlarms"]
    report["alarms"] = {alarm["ComparisonOperator"]: alarm["Threshold"] for alarm in alarms}
    # More than two a minute, for as long as it takes: the sandbox's minutes are short.
    for _ in range(600):
        runtime.invoke_endpoint(EndpointName=NAME, ContentType="application/json", Body="1")
        endpoint = sagemaker.describe_endpoint(EndpointName=NAME)
        if endpoint["ProductionVariants"][0]["CurrentInstanceCount"] == 2:
            break
        time.sleep(0.02)
    activities = scaling.describe_scaling_activities(ServiceNamespace="sagemaker")["ScalingActivities"]
    report["activities"] = [activity["Description"] for activity in activities]
    statistics = cloudwatch.get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName="Invocations",
        Dimensions=[{"Name": "EndpointName", "Value": NAME}, {"Name": "VariantName", "Value": "main"}],
        StartTime=endpoint["CreationTime"],
        EndTime=endpoint["CreationTime"].replace(year=endpoint["CreationTime"].year + 1),
        Period=86_400,
        Statistics=["Sum"],
    )
    report["invoked"] = sum(point["Sum"] for point in statistics["Datapoints"])

    once_assumable(
        functions.create_function,
        FunctionName=NAME,
        Runtime="python3.12",
        Handler="app.handler",
        Role=roles["lambda"],
        Timeout=60,
        Code={"ZipFile": package("app.py", HANDLER)},
        Environment={"Variables": {"ENDPOINT": NAME}},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=NAME)
    version = functions.publish_version(FunctionName=NAME)["Version"]
    functions.get_waiter("published_version_active").wait(FunctionName=NAME, Qualifier=version, WaiterConfig=often)
    functions.create_alias(FunctionName=NAME, Name="live", FunctionVersion=version)
    functions.put_provisioned_concurrency_config(
        FunctionName=NAME, Qualifier="live", ProvisionedConcurrentExecutions=2)
    for _ in range(3000):
        provisioned = functions.get_provisioned_concurrency_config(FunctionName=NAME, Qualifier="live")
        if provisioned["Status"] != "IN_PROGRESS":
            break
        time.sleep(0.2)
    report["provisioned"] = provisioned["Status"]
    def invoke(_):
        payload = json.dumps({"x": 100})
        answer = functions.invoke(FunctionName=NAME, Qualifier="live", Payload=payload, LogType="Tail")
        return json.load(answer["Payload"]), base64.b64decode(answer["LogResult"]).decode()

    # The first two calls, at the same time.
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers, report["tails"] = zip(*pool.map(invoke, range(2)))
    report["function"] = answers[0]

    delete_all(s3, iam, sagemaker, functions, scaling, target, bucket)
    report["left"] = left(client)
    json.dump(report, sys.stdout)


def delete_all(s3, iam, sagemaker, functions, scaling, target, bucket):
    functions.delete_provisioned_concurrency_config(FunctionName=NAME, Qualifier="live")
    functions.delete_alias(FunctionName=NAME, Name="live")
    functions.delete_function(FunctionName=NAME)
    scaling.delete_scaling_policy(**target, PolicyName=NAME)
    scaling.deregister_scalable_target(**target)
    sagemaker.delete_endpoint(EndpointName=NAME)
    sagemaker.get_waiter("endpoint_deleted").wait(EndpointName=NAME, WaiterConfig={"Delay": 1})
    sagemaker.delete_endpoint_config(EndpointConfigName=NAME)
    sagemaker.delete_model(ModelName=NAME)
    sagemaker.delete_training_job(TrainingJobName=NAME)
    for service in ["sagemaker", "lambda"]:
        iam.delete_role_policy(RoleName=f"{NAME}-{service}", PolicyName="all")
        iam.delete_role(RoleName=f"{NAME}-{service}")
    objects = s3.list_objects_v2(Bucket=bucket)["Contents"]
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": item["Key"]} for item in objects]})
    s3.delete_bucket(Bucket=bucket)


def left(client):
    """What is still there of all that was made. A deleted job has its name for some seconds."""
    sagemaker = client("sagemaker")
    for _ in range(100):
        if not sagemaker.list_training_jobs()["TrainingJobSummaries"]:
            break
        time.sleep(0.1)
    lists = [
        client("s3").list_buckets()["Buckets"],
        [role for role in client("iam").list_roles()["Roles"] if not role["Path"].startswith("/aws-service-role/")],
        sagemaker.list_training_jobs()["TrainingJobSummaries"],
        sagemaker.list_models()["Models"],
        sagemaker.list_endpoint_configs()["EndpointConfigs"],
        sagemaker.list_endpoints()["Endpoints"],
        client("lambda").list_functions()["Functions"],
        client("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"],
        client("cloudwatch").describe_alarms()["MetricAlarms"],
    ]
    return [str(item) for found in lists for item in found]


main()
