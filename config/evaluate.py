"""Measure a trained model as the endpoint would serve it.

    python3 config/evaluate.py model.tar.gz

It unpacks the archive, runs every image of the test split through serving/inference.py, JSON in and JSON out,
and prints the accuracy as the training job does: the two lines must agree. Needs numpy.
"""

import argparse
import importlib.util
import json
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


def load_serving(path: Path):
    """The inference script as a module, from its place in this project."""
    spec = importlib.util.spec_from_file_location("inference", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def predicted(serving, model, rows: list) -> list:
    """The digit that the model sees in each row."""
    request = json.dumps({"instances": rows})
    images = serving.input_fn(request, "application/json")
    answer = json.loads(serving.output_fn(serving.predict_fn(images, model), "application/json"))
    return [int(image["label"]) for image in answer]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a trained model on the test split.")
    parser.add_argument("archive", type=Path, help="model.tar.gz of a training job or of an endpoint")
    parser.add_argument("--digits", type=Path, default=HERE / "data" / "digits")
    parser.add_argument("--serving", type=Path, default=HERE / "serving" / "inference.py")
    arguments = parser.parse_args()

    serving = load_serving(arguments.serving)
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(arguments.archive) as archive:
            archive.extractall(folder, filter="data")
        model = serving.model_fn(folder)

    correct = total = 0
    for digit in range(10):
        lines = (arguments.digits / "test" / f"{digit}.csv").read_text().splitlines()
        rows = [[int(value) for value in line.split(",")] for line in lines]
        correct += predicted(serving, model, rows).count(digit)
        total += len(rows)
    print(f"final test_accuracy={correct / total:.4f} correct={correct} total={total}")


if __name__ == "__main__":
    main()
