"""Calls opsctl's own function handler (argument 1: its folder) without AWS: an endpoint answers what each case says."""

import base64
import json
import os
import sys
import types

ANSWER = {}
ASKED = {}


class ModelError(Exception):
    def __init__(self, response):
        self.response = response


class Runtime:
    exceptions = types.SimpleNamespace(ModelError=ModelError)

    def invoke_endpoint(self, **asked):
        ASKED.clear()
        ASKED.update(asked)
        if "status" in ANSWER:
            said = {"OriginalStatusCode": ANSWER["status"], "OriginalMessage": "no\ntrace", "Error": {"Message": "no"}}
            raise ModelError(said)
        body = ANSWER["body"]
        stream = types.SimpleNamespace(read=lambda: body if isinstance(body, bytes) else body.encode())
        return {"Body": stream, "ContentType": ANSWER.get("type", "application/json")}


def module(name, **members):
    sys.modules[name] = types.ModuleType(name)
    vars(sys.modules[name]).update(members)


module("boto3", client=lambda *_, **__: Runtime())
module("botocore")
module("botocore.config", Config=lambda **_: None)
errors = {name: type(name, (Exception,), {}) for name in ("BotoCoreError", "ClientError")}
module("botocore.exceptions", **errors)
os.environ["ENDPOINT_NAME"] = "e"
sys.path.insert(0, sys.argv[1])

import handler  # noqa: E402


def call(event, **answer):
    ANSWER.clear()
    ANSWER.update(answer)
    return handler.lambda_handler(event, "context")


def http(body, content_type=None, **more):
    headers = {} if content_type is None else {"Content-Type": content_type}
    headers.update(more.pop("headers", {}))
    return {"version": "2.0", "requestContext": {}, "headers": headers, "body": body, **more}


def asked():
    return ASKED["Body"], ASKED["ContentType"], ASKED["Accept"]


JSON = "application/json"

# A direct call: the case's own event, and its response.
response = call({"url": "https://x/dog.jpg"}, body="[[1.5]]")
assert asked() == ('{"url": "https://x/dog.jpg"}', JSON, JSON), ASKED
assert response["headers"]["Content-Type"] == "text/plain" and response["body"] == "[[1.5]]", response
assert (response["type-result"], response["COntent-Type-In"]) == ("<class 'str'>", "context"), response

# What a function URL sends: a photograph in base64, CSV as it is.
photo = b"\xff\xd8\xff\xe0"
response = call(http(base64.b64encode(photo).decode(), "image/jpeg", isBase64Encoded=True), body="[1]")
assert asked() == (photo, "image/jpeg", JSON), ASKED
assert response == {"statusCode": 200, "headers": {**handler.HEADERS, "Content-Type": JSON}, "body": "[1]"}, response
response = call(http("1,2\n", "text/csv; header=absent", headers={"accept": "text/csv"}), body="0.50\n", type="text/csv")
assert asked() == ("1,2\n", "text/csv; header=absent", "text/csv"), ASKED
assert (response["body"], response["headers"]["Content-Type"]) == ("0.50\n", "text/csv"), response
response = call(http("1", JSON, headers={"Accept": "text/html, */*"}), body=b"\x93NUMPY\xff", type="application/x-npy")
assert asked() == ("1", JSON, JSON) and response["isBase64Encoded"] is True, (ASKED, response)
assert base64.b64decode(response["body"]) == b"\x93NUMPY\xff", response

# JSON without a type, or with curl's, and in base64; a body that is wrapped by hand.
for event in [
    http("[1]"),
    http("[1]", "application/x-www-form-urlencoded"),
    http(base64.b64encode(b"[1]").decode(), isBase64Encoded=True),
    {"body": "[1]"},
]:
    call(event, body="1")
    assert asked() == ("[1]", JSON, JSON), (event, ASKED)
# An event that only has a member of that name is JSON like any other.
call({"body": [1], "headers": None}, body="1")
assert json.loads(ASKED["Body"]) == {"body": [1], "headers": None}, ASKED

# A load balancer that sends all values of a header.
call({"requestContext": {"elb": {}}, "multiValueHeaders": {"content-type": ["a/b", "text/csv"]}, "body": "1,2"}, body="1")
assert asked() == ("1,2", "text/csv", JSON), ASKED

# What a browser asks first, and what has nothing to send.
for context in [{"requestContext": {"http": {"method": "OPTIONS"}}}, {"requestContext": {}, "httpMethod": "OPTIONS"}]:
    response = call(context, body="1")
    assert response == {"statusCode": 204, "headers": handler.PREFLIGHT}, response
response = call(http(None, requestContext={"http": {"method": "GET"}}), body="1")
assert (response["statusCode"], "by POST" in response["body"]) == (405, True), response

# Whose fault it is.
for event, said in [
    (http("no JSON"), "is not JSON"),
    (http("%%%", "image/png", isBase64Encoded=True), "is not base64"),
    (http(None), "is not JSON"),
]:
    response = call(event, body="1")
    assert response["statusCode"] == 400 and said in response["body"], response
    assert response["headers"]["Content-Type"] == JSON, response
response = call(1, status=415)
assert (response["statusCode"], response["body"]) == (415, '{"error": "no"}'), response
for event, answer in [(1, {"status": 500}), (1, {"body": "no JSON"}), (http("1"), {"body": "no JSON"})]:
    try:
        raise AssertionError(call(event, **answer))
    except handler.EndpointError:
        pass
