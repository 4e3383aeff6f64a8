"""The two programs that both clients hand to SageMaker: one trains, one serves what it left."""

TRAIN = """
import argparse, json, os, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("--offset", type=float)
offset = parser.parse_args().offset
rows = [line.split(",") for line in pathlib.Path(os.environ["SM_CHANNEL_POINTS"], "points.csv").read_text().split()]
slope = sum((float(y) - offset) / float(x) for x, y in rows) / len(rows)
print(f"slope={slope}")
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.json").write_text(json.dumps({"slope": slope, "offset": offset}))
"""

INFERENCE = """
import json, os
def model_fn(model_dir):
    with open(os.path.join(model_dir, "model.json")) as file:
        return json.load(file)
def input_fn(body, content_type):
    return json.loads(body)
def predict_fn(x, model):
    return model["slope"] * x + model["offset"]
def output_fn(y, accept):
    return json.dumps({"y": y})
"""
