"""Serves one model on 127.0.0.1 under SageMaker's container contract: GET /ping, POST /invocations.

The work (model_fn, input_fn, predict_fn, output_fn, transform_fn, their defaults, content types and error texts)
is done by the Transformer of AWS's own `sagemaker-inference`. Its own server is not used: that is
multi-model-server, a Java program.

The model is loaded before the port is opened, so nothing answers /ping before the model can answer. One request
is computed at a time, like one worker of AWS's server; others wait. The port goes to stdout as one line.
"""

import importlib.util
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from sagemaker_inference.default_inference_handler import DefaultInferenceHandler
from sagemaker_inference.transformer import Transformer

LISTENING = "opsctl-listening"


class TorchHandler(DefaultInferenceHandler):
    """The defaults of AWS's PyTorch container: a TorchScript model, tensors in and out."""

    def default_model_fn(self, model_dir, context=None):
        import torch

        files = [name for name in os.listdir(model_dir) if name.endswith((".pt", ".pth"))]
        if len(files) != 1:
            raise ValueError(f"Exactly one .pth or .pt file is required for PyTorch models: {files}")
        return torch.jit.load(os.path.join(model_dir, files[0]), map_location="cpu").eval()

    def default_input_fn(self, input_data, content_type, context=None):
        import torch

        return torch.from_numpy(super().default_input_fn(input_data, content_type).astype("float32"))

    def default_predict_fn(self, data, model, context=None):
        import torch

        with torch.no_grad():
            return model(data)

    def default_output_fn(self, prediction, accept, context=None):
        if hasattr(prediction, "detach"):
            prediction = prediction.detach().cpu().numpy().tolist()
        return super().default_output_fn(prediction, accept)


class Context:
    """What the Transformer reads of, and writes to, a request (multi-model-server's context)."""

    def __init__(self, model_dir, headers):
        self.system_properties = {"model_dir": model_dir, "gpu_id": None}
        self.request_processor = [self]
        self.headers = headers
        self.status = 200
        self.content_type = "text/plain"

    def get_request_properties(self):
        return self.headers

    def get_request_header(self, _index, name):
        return self.headers.get(name)

    def set_response_status(self, code=200, phrase="", idx=0):
        self.status = code

    def set_response_content_type(self, _index, value):
        self.content_type = value


def encoded(response):
    if isinstance(response, (bytes, bytearray)):
        return bytes(response)
    return (response if isinstance(response, str) else json.dumps(response)).encode()


def handler(transformer, model_dir):
    worker = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.reply(200 if self.path == "/ping" else 404, "text/plain", b"")

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path != "/invocations":
                return self.reply(404, "text/plain", b"")
            context = Context(model_dir, dict(self.headers.items()))
            begun = time.monotonic()
            with worker:
                response = transformer.transform([{"body": body}], context)[0]
            if context.status != 200:
                context.content_type = "text/plain"
                print(encoded(response).decode(errors="replace"), file=sys.stderr, flush=True)
            self.reply(context.status, context.content_type, encoded(response))
            spent = (time.monotonic() - begun) * 1000
            print(f'"POST /invocations HTTP/1.1" {context.status} {spent:.0f} ms', flush=True)

        def reply(self, status, content_type, body):
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Handler


def main(model_dir, code_dir):
    sys.path[0] = code_dir
    defaults = TorchHandler() if importlib.util.find_spec("torch") else DefaultInferenceHandler()
    transformer = Transformer(defaults)
    transformer.validate_and_initialize(model_dir=model_dir, context=Context(model_dir, {}))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(transformer, model_dir))
    server.daemon_threads = True
    print(LISTENING, server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
