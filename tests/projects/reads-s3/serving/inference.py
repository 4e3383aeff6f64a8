import json
import os


def model_fn(model_dir):
    with open(os.path.join(model_dir, "model.json")) as file:
        return json.load(file)


def input_fn(body, content_type):
    if content_type != "text/csv":
        raise ValueError(f"{content_type} is not text/csv")
    text = body.decode() if isinstance(body, (bytes, bytearray)) else body
    return [[float(cell) for cell in line.split(",")] for line in text.split()]


def predict_fn(rows, model):
    return [sum(w * x for w, x in zip(model["weights"], row)) + model["bias"] for row in rows]


def output_fn(prices, accept):
    if accept == "text/csv":
        return "".join(f"{price:.2f}\n" for price in prices)
    return json.dumps(prices)
