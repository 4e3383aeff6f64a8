"""Serves one model on 127.0.0.1 under SageMaker's container contract: GET /ping, POST /invocations.

The work (model_fn, input_fn, predict_fn, output_fn, transform_fn, their defaults, content types and error texts)
is done by the Transformer of AWS's own `sagemaker-inference`. Its own server is not used: that is
multi-model-server, a Java program.

The model is loaded before the port is opened, so nothing answers /ping before the model can answer. One request
is computed at a time, like one worker of AWS's server; others wait. The port goes to stdout as one line.
"""

import csv
import importlib.util
import io
import json
import os
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from sagemaker_inference import content_types, errors
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


class SklearnHandler(DefaultInferenceHandler):
    """The defaults of AWS's scikit-learn container: the model's own predict."""

    def default_input_fn(self, input_data, content_type, context=None):
        array = super().default_input_fn(input_data, content_type)
        return array.astype("float32") if content_type in content_types.UTF8_TYPES else array

    def default_predict_fn(self, data, model, context=None):
        return model.predict(data)


class XgboostHandler(DefaultInferenceHandler):
    """The defaults of AWS's XGBoost container: a DMatrix of CSV or libsvm, and the booster's own predict."""

    def default_input_fn(self, input_data, content_type, context=None):
        kind = content_type.split(";")[0].strip()
        if kind == content_types.CSV:
            return self.of_csv(input_data if isinstance(input_data, str) else input_data.decode())
        if kind in ("text/libsvm", "text/x-libsvm"):
            return self.of_libsvm(input_data)
        raise errors.UnsupportedFormatError(content_type)

    @staticmethod
    def of_csv(text):
        import numpy
        import xgboost

        found = csv.Sniffer().sniff(text.splitlines()[0][:512]).delimiter
        separator = "," if found.isalnum() else found
        rows = [[cell or "nan" for cell in line.split(separator)] for line in text.split("\n")]
        return xgboost.DMatrix(numpy.array(rows).astype(float))

    @staticmethod
    def of_libsvm(data):
        import xgboost

        with tempfile.NamedTemporaryFile(suffix=".libsvm") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            # Newer ones want to be told the format, older ones take it for granted.
            return xgboost.DMatrix(f"{file.name}?format=libsvm")

    def default_predict_fn(self, data, model, context=None):
        return model.predict(data, validate_features=False)


class HuggingFaceHandler(DefaultInferenceHandler):
    """The defaults of AWS's Hugging Face containers: a pipeline of the task takes `inputs`."""

    # What the end of an architecture's name says of the task.
    TASKS = {
        "ForSequenceClassification": "text-classification",
        "ForTokenClassification": "token-classification",
        "TapasForQuestionAnswering": "table-question-answering",
        "ForQuestionAnswering": "question-answering",
        "ForMultipleChoice": "multiple-choice",
        "ForMaskedLM": "fill-mask",
        "ForCausalLM": "text-generation",
        "GPT2LMHeadModel": "text-generation",
        "ForConditionalGeneration": "text2text-generation",
        "T5WithLMHeadModel": "text2text-generation",
        "MTModel": "text2text-generation",
        "EncoderDecoderModel": "text2text-generation",
    }
    # What a pipeline takes in the place of a tokenizer.
    FEATURES = (
        "automatic-speech-recognition",
        "image-segmentation",
        "image-classification",
        "audio-classification",
        "object-detection",
        "zero-shot-image-classification",
    )

    def default_model_fn(self, model_dir, context=None):
        from transformers import pipeline

        task = os.environ.get("HF_TASK") or self.task(os.path.join(model_dir, "config.json"))
        reader = "feature_extractor" if task in self.FEATURES else "tokenizer"
        return pipeline(task=task, model=model_dir, device=-1, **{reader: model_dir})

    def task(self, config):
        if not os.path.exists(config):
            raise ValueError("the model has no config.json: define its task as env 'HF_TASK'")
        with open(config) as file:
            architecture = (json.load(file).get("architectures") or [""])[0]
        for ending, task in self.TASKS.items():
            if architecture.endswith(ending):
                return task
        raise ValueError(f"no task is known of {architecture}: define it as env 'HF_TASK'")

    def default_input_fn(self, input_data, content_type, context=None):
        if content_type == content_types.JSON:
            return json.loads(input_data)
        if content_type == content_types.CSV:
            return self.of_csv(input_data if isinstance(input_data, str) else input_data.decode())
        kind = content_type.split("/")[0]
        if kind == "image":
            from PIL import Image

            return {"inputs": Image.open(io.BytesIO(input_data)).convert("RGB")}
        if kind == "audio":
            return {"inputs": bytes(input_data)}
        return super().default_input_fn(input_data, content_type)

    @staticmethod
    def of_csv(text):
        head = text.splitlines()[0].lower()
        if not any(column in head for column in ("question", "context", "inputs")):
            raise ValueError("CSV needs a line with the names of its columns: inputs, or question and context")
        rows = list(csv.DictReader(io.StringIO(text)))
        return {"inputs": [row["inputs"] for row in rows] if "inputs" in rows[0] else rows}

    def default_predict_fn(self, data, model, context=None):
        inputs = data.pop("inputs", data)
        return model(inputs, **(data.pop("parameters", None) or {}))

    def default_output_fn(self, prediction, accept, context=None):
        if accept != content_types.CSV:
            return super().default_output_fn(prediction, accept)
        rows, text = list(prediction), io.StringIO()
        writer = csv.DictWriter(text, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()


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


def defaults_of(family):
    known = {"sklearn": SklearnHandler, "xgboost": XgboostHandler, "huggingface": HuggingFaceHandler}
    if family in known:
        return known[family]()
    return TorchHandler() if importlib.util.find_spec("torch") else DefaultInferenceHandler()


def main(model_dir, code_dir, family):
    sys.path[0] = code_dir
    defaults = defaults_of(family)
    transformer = Transformer(defaults)
    transformer.validate_and_initialize(model_dir=model_dir, context=Context(model_dir, {}))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(transformer, model_dir))
    server.daemon_threads = True
    print(LISTENING, server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
