"""The Lambda function in front of a SageMaker endpoint, written and deployed by opsctl.

Two kinds of events come here:
- A direct call: the event is JSON, such as {"url": "https://…"}, and goes to the endpoint as it is. The endpoint's
  answer comes back as the `body` of a response.
- A request as a function URL or API Gateway sends it: its `body` (in base64, when `isBase64Encoded`) goes to the
  endpoint with the request's own Content-Type and Accept, be it JSON, a photograph or CSV. The answer has the
  Content-Type that the endpoint gave it, and is in base64 when it is no text.

When something fails, the question is whose fault it is:
- The caller's (the endpoint's container answered 4xx, or the body is not the JSON it should be): a normal response
  with that status code and {"error": "…"} as its body. The function did its work. It must not count in the
  function's `Errors` metric, or every typing error of a caller looks like an outage; nor may an asynchronous call be
  retried.
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

JSON = "application/json"
HEADERS = {"Content-Type": "text/plain", "Access-Control-Allow-Origin": "*"}
# What a browser asks before a page of somebody else sends JSON or a photograph.
PREFLIGHT = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "*",
}


class BadRequest(Exception):
    """The caller's mistake, with the HTTP status that says which."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class EndpointError(Exception):
    """The endpoint could not answer."""


def lambda_handler(event, context):
    is_http = isinstance(event, dict) and ("requestContext" in event or isinstance(event.get("body"), str))
    if is_http and method(event) == "OPTIONS":
        return {"statusCode": 204, "headers": PREFLIGHT}
    try:
        body, content_type, accept = request(event) if is_http else (json.dumps(event), JSON, JSON)
        result, result_type = invoke(body, content_type, accept)
    except BadRequest as error:
        headers = {**HEADERS, "Content-Type": JSON} if is_http else HEADERS
        return {"statusCode": error.status, "headers": headers, "body": json.dumps({"error": str(error)})}
    response = {"statusCode": 200, "headers": HEADERS, **in_body(result, result_type)}
    if is_http or main_type(result_type) != JSON:
        response["headers"] = {**HEADERS, "Content-Type": result_type}
    if not is_http:
        response["type-result"] = str(type(response["body"]))
        response["COntent-Type-In"] = str(context)
    return response


def method(event):
    """That of an HTTP request, where the event has it: the members of a function URL, and of API Gateway and ALB."""
    context = event.get("requestContext") or {}
    return (context.get("http") or {}).get("method") or event.get("httpMethod")


def header_fields(event):
    """By their names in small letters. A load balancer may send all values of each, of which the last counts."""
    fields = event.get("headers") or {name: all[-1] for name, all in (event.get("multiValueHeaders") or {}).items()}
    return {name.lower(): value for name, value in fields.items()}


def request(event):
    """What the endpoint is asked: the body of an HTTP request, its content type, and the type of the answer."""
    if method(event) in ("GET", "HEAD") and not event.get("body"):
        raise BadRequest(405, "there is no body: send the payload by POST")
    headers = header_fields(event)
    content_type = headers.get("content-type") or JSON
    # Browsers name many types and patterns, of which a container knows none.
    accept = headers.get("accept") or JSON
    accept = JSON if "*" in accept or "," in accept else accept
    body = event.get("body") or ""
    try:
        body = base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body
    except ValueError as error:
        raise BadRequest(400, f"the body of the request is not base64: {error}") from None
    try:
        # A form is what curl calls it when nobody says what it is.
        if main_type(content_type) in (JSON, "application/x-www-form-urlencoded"):
            return json.dumps(json.loads(body)), JSON, accept
    except ValueError as error:
        raise BadRequest(400, f"the body of the request is not JSON: {error}") from None
    return body, content_type, accept


def invoke(body, content_type, accept):
    """The endpoint's answer, as bytes, and its content type."""
    try:
        response = runtime.invoke_endpoint(
            EndpointName=ENDPOINT_NAME, ContentType=content_type, Accept=accept, Body=body
        )
        return response["Body"].read(), response.get("ContentType") or JSON
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


def main_type(content_type):
    """Without its parameters: application/json of `application/json; charset=utf-8`."""
    return content_type.partition(";")[0].strip().lower()


def in_body(result, content_type):
    """The members of a response that hold an answer: text as it is, bytes in base64."""
    try:
        text = result.decode("utf-8")
    except UnicodeDecodeError:
        return {"body": base64.b64encode(result).decode("ascii"), "isBase64Encoded": True}
    if main_type(content_type) != JSON:
        return {"body": text}
    try:
        return {"body": json.dumps(json.loads(text))}
    except ValueError:
        raise EndpointError(f"endpoint {ENDPOINT_NAME} answered something that is not JSON: {text[:80]!r}") from None
