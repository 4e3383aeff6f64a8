import json

import boto3

endpoint_Name = "pytorch-inference-2026-11-01-10-22-31-004"
runtime = boto3.Session().client("sagemaker-runtime")


def lambda_handler(event, context):
    print("Context:::", context)
    response = runtime.invoke_endpoint(
        EndpointName=endpoint_Name,
        ContentType="application/json",
        Accept="application/json",
        Body=json.dumps(event),
    )
    result = json.loads(response["Body"].read().decode("utf-8"))
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "text/plain", "Access-Control-Allow-Origin": "*"},
        "type-result": str(type(result)),
        "COntent-Type-In": str(context),
        "body": json.dumps(result),
    }
