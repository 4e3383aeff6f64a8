"""The Lambda function in front of a SageMaker endpoint, written and deployed by opsctl.

The event goes to the endpoint as JSON; the endpoint's answer comes back as the `body` of a response for API
Gateway, a function URL, or a direct call. An event that wraps its JSON in a `body`, as those two send it, is
unwrapped first.

When something fails, the question is whose fault it is:
- The caller's (the endpoint's container answered 4xx, or the event is not JSON): a normal response with that
  status code and {"error": "…"} as its body. The function did its work. It must not count in the function's
  `Errors` metric, or every typing error of a caller looks like an outage; nor may an asynchronous call be retried.
- Ours (the endpoint is missing, throttled, broken or too slow): an exception. Only that sets `FunctionError`,
  counts in `Errors`, lets an alarm roll an alias back, and has an asynchronous call retried. Behind API Gateway
  the public then sees a bare 502, and the message, which names the endpoint, stays in the log.
"""

import base64
import json
import os

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

# Read at import: a function without it fails when it is initialized, before it can serve anybody.
ENDPOINT_NAME = os.environ["ENDPOINT_NAME"]

# SageMaker gives the container 60 s; we wait a little longer, so that its own error arrives rather than our time-out.
# One attempt: a repeated prediction costs the endpoint twice, and would outlive this function's own time-out.
# (`max_attempts` counts retries, `total_max_attempts` counts attempts.)
runtime = boto3.client(
    "sagemaker-runtime",
    config=Config(connect_timeout=5, read_timeout=70, retries={"total_max_attempts": 1}),
)

HEADERS = {"Content-Type": "text/plain", "Access-Control-Allow-Origin": "*"}


class BadRequest(Exception):
    """The caller's mistake, with the HTTP status that says which."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class EndpointError(Exception):
    """The endpoint could not answer."""


def lambda_handler(event, context):
    try:
        result = invoke(payload(event))
    except BadRequest as error:
        return {"statusCode": error.status, "headers": HEADERS, "body": json.dumps({"error": str(error)})}
    return {
        "statusCode": 200,
        "headers": HEADERS,
        "type-result": str(type(result)),
        "COntent-Type-In": str(context),
        "body": json.dumps(decoded(result)),
    }


def payload(event):
    """What the endpoint is asked: the event itself, or the JSON text in its `body`."""
    wrapped = isinstance(event, dict) and ("requestContext" in event or isinstance(event.get("body"), str))
    if not wrapped:
        return event
    try:
        body = event.get("body") or ""
        return json.loads(base64.b64decode(body) if event.get("isBase64Encoded") else body)
    except ValueError as error:
        raise BadRequest(400, f"the body of the request is not JSON: {error}") from None


def invoke(request):
    """The endpoint's answer, as text."""
    try:
        response = runtime.invoke_endpoint(
            EndpointName=ENDPOINT_NAME,
            ContentType="application/json",
            Accept="application/json",
            Body=json.dumps(request),
        )
        return response["Body"].read().decode("utf-8")
    except runtime.exceptions.ModelError as error:
        status = error.response.get("OriginalStatusCode", 500)
        said = first_line(error.response.get("OriginalMessage")) or first_line(error.response["Error"]["Message"])
        if 400 <= status < 500:
            raise BadRequest(status, said) from None
        raise EndpointError(f"the container of endpoint {ENDPOINT_NAME} answered {status}: {said}") from None
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        raise EndpointError(f"endpoint {ENDPOINT_NAME} could not be invoked: {code}: {message}") from None
    except BotoCoreError as error:  # no connection, no credentials, no answer in time
        raise EndpointError(f"endpoint {ENDPOINT_NAME} could not be reached: {error}") from None


def first_line(text):
    """The inference toolkits send the error, then its stack trace; the trace is in the endpoint's log."""
    return (text or "").strip().partition("\n")[0]


def decoded(result):
    try:
        return json.loads(result)
    except ValueError:
        raise EndpointError(f"endpoint {ENDPOINT_NAME} answered something that is not JSON: {result[:80]!r}") from None
