"""Serve the dog-breed model: the four functions that the SageMaker inference toolkits look for.

A request is JSON, {"url": "https://…/dog.jpg"}; the photograph is fetched from there. The answer is a JSON list
with one list of logits, one logit per breed; the position of the largest plus one is the number of the breed.
"""

import http.client
import io
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from http import HTTPStatus

import torch
from PIL import Image
from torch import nn
from torchvision import models, transforms

try:
    from sagemaker_inference.errors import BaseInferenceToolkitError
except ImportError:  # outside a SageMaker container

    class BaseInferenceToolkitError(Exception):
        def __init__(self, status_code, message, phrase):
            super().__init__(message)


DOWNLOAD_BYTES = 10 * 1024 * 1024
DOWNLOAD_SECONDS = 10  # SageMaker gives the whole request 60
PIXELS = 50_000_000  # a small file can decompress into any amount of memory

PREPARE = transforms.Compose(
    [
        transforms.Resize(256),
        transforms.CenterCrop(224),
        transforms.ToTensor(),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ]
)


class BadRequest(BaseInferenceToolkitError):
    """The caller's mistake. The toolkits answer 500 to every other exception, and 500 would blame the model."""

    def __init__(self, message, status=HTTPStatus.BAD_REQUEST):
        super().__init__(int(status), message, status.phrase)


# The four functions


def model_fn(model_dir):
    weights = torch.load(os.path.join(model_dir, "model.pth"), map_location="cpu", weights_only=True)
    model = models.resnet50(weights=None)  # no download: all weights are in the file
    model.fc = nn.Linear(model.fc.in_features, weights["fc.bias"].numel())
    model.load_state_dict(weights)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return model.to(device).eval()


def input_fn(request_body, content_type):
    """The photograph of a request: a tensor of 1 x 3 x 224 x 224."""
    kind = (content_type or "").split(";")[0].strip().lower()
    if kind != "application/json":
        raise BadRequest(
            f"content type {kind or '(none)'} is not supported: send application/json",
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        )
    try:
        request = json.loads(request_body)
    except ValueError as error:
        raise BadRequest(f"the request is not JSON: {error}") from error
    if not isinstance(request, dict) or "url" not in request:
        raise BadRequest('the request must be an object with a "url"')
    return PREPARE(open_image(download(request["url"]))).unsqueeze(0)


def predict_fn(image, model):
    device = next(model.parameters()).device
    with torch.inference_mode():
        return model(image.to(device)).cpu()


def output_fn(logits, accept):
    wanted = {part.split(";")[0].strip().lower() for part in (accept or "*/*").split(",")}
    if not wanted & {"application/json", "application/*", "*/*"}:
        raise BadRequest(f"the answer is application/json, not {accept}", HTTPStatus.NOT_ACCEPTABLE)
    return json.dumps(logits.tolist(), allow_nan=False)


# Fetching a photograph


def open_image(content):
    """The photograph, with three colors whatever the file had (grey, palette, transparency)."""
    try:
        image = Image.open(io.BytesIO(content), formats=("JPEG", "PNG", "WEBP"))
        if image.width * image.height > PIXELS:
            raise BadRequest(f'the image at "url" has more than {PIXELS} pixels')
        return image.convert("RGB")
    # Pillow reports a broken file in each of these ways.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BadRequest('the file at "url" is not a JPEG, PNG or WebP image, or is damaged') from error


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
    # Some sites refuse what calls itself Python.
    request = urllib.request.Request(url, headers={"User-Agent": "dog-breeds/1.0", "Accept": "image/*"})
    try:
        with urllib.request.build_opener(StayOnHttps).open(request, timeout=DOWNLOAD_SECONDS) as response:
            content = response.read(DOWNLOAD_BYTES + 1)
    # HTTPException and ValueError: a server or an address that breaks the rules of HTTP.
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise BadRequest(f'the image at "url" could not be fetched: {reason(error)}') from error
    if len(content) > DOWNLOAD_BYTES:
        raise BadRequest(f'the image at "url" is larger than {DOWNLOAD_BYTES} bytes')
    return content


def reason(error):
    """In few words, and without the URL: a presigned one is a credential."""
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code}"
    return str(getattr(error, "reason", "")) or type(error).__name__
