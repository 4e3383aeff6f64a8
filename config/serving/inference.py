"""Serve the digits model: the four functions that the SageMaker inference toolkits look for.

A request is JSON, one of
    {"instances": [[64 numbers from 0 to 16], …]}   images as they are in the data set
    {"url": "https://…/digits.csv"}                 a file of such images, one per line
(for an object in S3, a presigned URL), or the lines themselves as text/csv. The answer is a JSON list with
the digit in each image and how sure the model is, from 0 to 1:
    [{"label": "7", "score": 0.998}]
"""

import http.client
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from http import HTTPStatus

import numpy as np

try:
    from sagemaker_inference.errors import BaseInferenceToolkitError
except ImportError:  # outside a SageMaker container, as in evaluate.py

    class BaseInferenceToolkitError(Exception):
        def __init__(self, status_code, message, phrase):
            super().__init__(message)


PIXELS = 64
LARGEST = 16
DOWNLOAD_BYTES = 1024 * 1024
DOWNLOAD_SECONDS = 10  # SageMaker gives the whole request 60


class BadRequest(BaseInferenceToolkitError):
    """The caller's mistake. The toolkits answer 500 to every other exception, and 500 would blame the model."""

    def __init__(self, message, status=HTTPStatus.BAD_REQUEST):
        super().__init__(int(status), message, status.phrase)


# The four functions


def model_fn(model_dir):
    with np.load(os.path.join(model_dir, "model.npz"), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def input_fn(request_body, content_type):
    """The images of a request: an array of n rows and 64 columns."""
    kind = (content_type or "").split(";")[0].strip().lower()
    if kind == "text/csv":
        return parse_lines(as_text(request_body), "the request")
    if kind == "application/json":
        return parse_json(as_text(request_body))
    raise BadRequest(
        f"content type {kind or '(none)'} is not supported: send application/json or text/csv",
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    )


def predict_fn(images, model):
    """The logits: an array of n rows and 10 columns."""
    hidden = np.maximum(images / model["scale"] @ model["hidden_weights"] + model["hidden_bias"], 0)
    return hidden @ model["output_weights"] + model["output_bias"]


def output_fn(logits, accept):
    wanted = {part.split(";")[0].strip().lower() for part in (accept or "*/*").split(",")}
    if not wanted & {"application/json", "application/*", "*/*"}:
        raise BadRequest(f"the answer is application/json, not {accept}", HTTPStatus.NOT_ACCEPTABLE)
    # Softmax. The largest is subtracted first: exp of a large number overflows.
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    answers = [{"label": str(row.argmax()), "score": round(float(row.max()), 6)} for row in shares]
    return json.dumps(answers, allow_nan=False)


# Reading a request


def as_text(body, source="the request"):
    try:
        return body if isinstance(body, str) else bytes(body).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest(f"{source} is not UTF-8 text") from error


def parse_json(text):
    try:
        request = json.loads(text)
    except ValueError as error:
        raise BadRequest(f"the request is not JSON: {error}") from error
    given = [name for name in ("instances", "url") if isinstance(request, dict) and name in request]
    if len(given) != 1:
        raise BadRequest('the request must be an object with either "instances" or "url"')
    if given == ["url"]:
        return parse_lines(download(request["url"]), 'the file at "url"')
    return check_images(request["instances"], "instances[{}]")


def parse_lines(text, source):
    lines = [line.split(",") for line in text.splitlines() if line.strip()]
    try:
        rows = [[float(value) for value in line] for line in lines]
    except ValueError as error:
        raise BadRequest(f"{source} must hold lines of numbers with commas between them: {error}") from error
    return check_images(rows, f"{source}, image {{}}")


def check_images(rows, place):
    """`place` names an image in a message; its {} becomes the position, counted from 0."""
    if not isinstance(rows, list) or not rows:
        raise BadRequest("there must be a list of at least one image")
    for position, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != PIXELS:
            found = f"{len(row)} values" if isinstance(row, list) else type(row).__name__
            raise BadRequest(f"{place.format(position)} must be a list of {PIXELS} numbers, found {found}")
        for value in row:
            # bool is a number to Python, and NaN fails every comparison.
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= LARGEST:
                shown = json.dumps(value)[:40]
                raise BadRequest(f"{place.format(position)} holds {shown}: values go from 0 to {LARGEST}")
    return np.array(rows, dtype=float)


# Fetching a file


class StayOnHttps(urllib.request.HTTPRedirectHandler):
    """A redirect must not lead where the caller may not send us, such as the instance's metadata service."""

    def redirect_request(self, request, file, code, message, headers, url):
        check_https(url)
        return super().redirect_request(request, file, code, message, headers, url)


def check_https(url):
    try:
        parts = urllib.parse.urlsplit(url) if isinstance(url, str) else None
        if parts and parts.scheme == "https" and parts.hostname:
            return
    except ValueError:  # such as a broken IPv6 address
        pass
    raise BadRequest('"url" must be an https:// address')


def download(url):
    check_https(url)
    try:
        with urllib.request.build_opener(StayOnHttps).open(url, timeout=DOWNLOAD_SECONDS) as response:
            content = response.read(DOWNLOAD_BYTES + 1)
    # HTTPException and ValueError: a server or an address that breaks the rules of HTTP.
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise BadRequest(f'the file at "url" could not be fetched: {reason(error)}') from error
    if len(content) > DOWNLOAD_BYTES:
        raise BadRequest(f'the file at "url" is larger than {DOWNLOAD_BYTES} bytes')
    return as_text(content, 'the file at "url"')


def reason(error):
    """In few words, and without the URL: a presigned one is a credential."""
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code}"
    return str(getattr(error, "reason", "")) or type(error).__name__
