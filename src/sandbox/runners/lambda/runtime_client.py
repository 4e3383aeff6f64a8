"""A stand-in for the C extension of the same name in `awslambdaric`, in pure Python.

Only used where PyPI has no wheel of `awslambdaric` (macOS, musl): everything above these four functions is AWS's.
"""

import http.client
import os

_ROOT = "/2018-06-01/runtime/invocation/"
_HEADERS = ["Content-Type"] + [
    "Lambda-Runtime-" + name
    for name in ("Aws-Request-Id", "Deadline-Ms", "Invoked-Function-Arn", "Trace-Id", "Client-Context", "Cognito-Identity")
]
_agent = {}


def initialize_client(user_agent):
    _agent["User-Agent"] = user_agent


def _call(method, path, body=None, headers=None):
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        connection.request(method, _ROOT + path, body, {**_agent, **(headers or {})})
        response = connection.getresponse()
        content = response.read()
    finally:
        connection.close()
    if response.status not in (200, 202):
        raise RuntimeError(f"the Runtime API answered {response.status}")
    return content, response.headers


def next():  # the extension's name
    body, received = _call("GET", "next")
    headers = {name: received.get(name) for name in _HEADERS}
    headers["Lambda-Runtime-Deadline-Ms"] = int(headers["Lambda-Runtime-Deadline-Ms"])
    return body, headers


def post_invocation_result(invoke_id, result, content_type="application/json", *_):
    _call("POST", invoke_id + "/response", result, {"Content-Type": content_type})


def post_error(invoke_id, error, xray_fault, *_):
    headers = {"Content-Type": "application/json"}
    body = error.encode() if isinstance(error, str) else error
    _call("POST", invoke_id + "/error", body, headers)
