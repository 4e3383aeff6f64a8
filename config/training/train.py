"""Train a small neural network on the digits: a SageMaker script-mode training script.

SageMaker starts it as `python train.py --epochs 40 …`: hyperparameters come as arguments, places as SM_*
variables. The same line works on a laptop, from this folder:

    python train.py --digits ../data/digits --model-dir /tmp/model --output-data-dir /tmp/output

It reads   <digits>/{train,test}/<digit>.csv, 64 grey values from 0 to 16 per line
It writes  <model-dir>/model.npz, the weights; <output-data-dir>/evaluation.json, how good they are
It prints  one line per epoch that a metric definition can read: `epoch=3 train_loss=0.1 test_accuracy=0.9`
It resumes from <checkpoint-dir>/checkpoint.npz when SageMaker restarts it on another spot instance. A resumed
run ends with the same weights as one that was never interrupted. opsctl keeps one folder of checkpoints per job, and
a job is its code, data and hyperparameters; on a laptop, give other data another --checkpoint-dir.
"""

import argparse
import json
import logging
import os
import sys
import time
import zipfile
from pathlib import Path

import numpy as np

PIXELS = 64
CLASSES = 10
SCALE = 16.0  # the largest grey value: the network sees 0 to 1

logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
logger = logging.getLogger("train")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a small neural network on the digits.")
    # Hyperparameters. SageMaker writes their names as the configuration does, so both spellings are taken.
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--batch-size", "--batch_size", type=int, default=32)
    parser.add_argument("--learning-rate", "--learning_rate", type=float, default=0.002)
    parser.add_argument("--hidden", type=int, default=128, help="units of the hidden layer")
    parser.add_argument("--seed", type=int, default=7)
    # Places. SageMaker sets these variables, and so do opsctl's EC2 bootstrap and its sandbox.
    place = os.environ.get
    parser.add_argument("--digits", type=Path, default=place("SM_CHANNEL_DIGITS", "/opt/ml/input/data/digits"))
    parser.add_argument("--model-dir", type=Path, default=place("SM_MODEL_DIR", "/opt/ml/model"))
    parser.add_argument("--output-data-dir", type=Path, default=place("SM_OUTPUT_DATA_DIR", "/opt/ml/output/data"))
    parser.add_argument("--checkpoint-dir", type=Path, default=default_checkpoint_dir())
    arguments = parser.parse_args()
    for name in ("epochs", "batch_size", "hidden"):
        if getattr(arguments, name) < 1:
            parser.error(f"{name} must be at least 1")
    return arguments


def default_checkpoint_dir():
    """SageMaker makes /opt/ml/checkpoints only for jobs that have a checkpoint configuration."""
    asked = os.environ.get("SM_CHECKPOINT_DIR")
    if asked:
        return Path(asked)
    usual = Path("/opt/ml/checkpoints")
    return usual if usual.is_dir() else None


# Data


def load_split(folder: Path):
    """The images of one split, scaled to 0..1, and their labels."""
    images, labels = [], []
    for digit in range(CLASSES):
        path = folder / f"{digit}.csv"
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing: the channel must hold {folder.name}/0.csv to 9.csv")
        rows = np.loadtxt(path, delimiter=",", ndmin=2)
        if rows.shape[1] != PIXELS:
            raise ValueError(f"{path} has {rows.shape[1]} numbers per line, expected {PIXELS}")
        images.append(rows / SCALE)
        labels.append(np.full(len(rows), digit))
    return np.concatenate(images), np.concatenate(labels)


# The network: 64 inputs, one hidden layer with ReLU, 10 logits


def new_weights(hidden: int, seed: int) -> dict:
    random = np.random.default_rng(seed)
    return {
        "hidden_weights": random.normal(0, np.sqrt(2 / PIXELS), (PIXELS, hidden)),
        "hidden_bias": np.zeros(hidden),
        "output_weights": random.normal(0, np.sqrt(2 / hidden), (hidden, CLASSES)),
        "output_bias": np.zeros(CLASSES),
    }


def forward(weights: dict, images):
    """The activations of the hidden layer, and the logits."""
    activations = np.maximum(images @ weights["hidden_weights"] + weights["hidden_bias"], 0)
    return activations, activations @ weights["output_weights"] + weights["output_bias"]


def loss_and_gradients(weights: dict, images, labels):
    """The mean cross-entropy of a batch, and its derivative by each weight."""
    activations, logits = forward(weights, images)
    logits = logits - logits.max(axis=1, keepdims=True)  # so that exp cannot overflow
    log_likelihoods = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    rows = np.arange(len(labels))
    loss = -log_likelihoods[rows, labels].mean()

    by_logits = np.exp(log_likelihoods)
    by_logits[rows, labels] -= 1
    by_logits /= len(labels)
    by_activations = (by_logits @ weights["output_weights"].T) * (activations > 0)
    return loss, {
        "hidden_weights": images.T @ by_activations,
        "hidden_bias": by_activations.sum(axis=0),
        "output_weights": activations.T @ by_logits,
        "output_bias": by_logits.sum(axis=0),
    }


class Adam:
    """Kingma and Ba, 2014. Its moments are part of a checkpoint, or a resumed run would differ."""

    def __init__(self, weights: dict, learning_rate: float):
        self.learning_rate = learning_rate
        self.steps = 0
        self.means = {name: np.zeros_like(values) for name, values in weights.items()}
        self.variances = {name: np.zeros_like(values) for name, values in weights.items()}

    def step(self, weights: dict, gradients: dict) -> None:
        self.steps += 1
        rate = self.learning_rate * np.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps)
        for name, gradient in gradients.items():
            self.means[name] = 0.9 * self.means[name] + 0.1 * gradient
            self.variances[name] = 0.999 * self.variances[name] + 0.001 * gradient**2
            weights[name] -= rate * self.means[name] / (np.sqrt(self.variances[name]) + 1e-8)


# Training


def train_epoch(weights: dict, optimizer: Adam, images, labels, batch_size: int, random) -> float:
    """One pass over the images in random order; the mean loss of its batches, weighted by their size."""
    total = 0.0
    order = random.permutation(len(labels))
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        loss, gradients = loss_and_gradients(weights, images[batch], labels[batch])
        optimizer.step(weights, gradients)
        total += loss * len(batch)
    return total / len(order)


def confusion(weights: dict, images, labels):
    """Counts of images, one row per true digit, one column per predicted digit."""
    _, logits = forward(weights, images)
    counts = np.zeros((CLASSES, CLASSES), dtype=int)
    np.add.at(counts, (labels, logits.argmax(axis=1)), 1)
    return counts


def accuracy(counts) -> float:
    return counts.trace() / counts.sum()


# Checkpoints


def recipe(arguments: argparse.Namespace) -> str:
    """What a checkpoint must have been trained with to be continued."""
    names = ("epochs", "batch_size", "learning_rate", "hidden", "seed")
    return json.dumps({name: getattr(arguments, name) for name in names})


def save_checkpoint(folder: Path, epoch: int, weights: dict, optimizer: Adam, made_by: str) -> None:
    """Written beside and renamed: an interruption leaves the old checkpoint or the new one, never half of one."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {"epoch": epoch, "steps": optimizer.steps, "recipe": made_by}
    for kind, values in (("weights", weights), ("means", optimizer.means), ("variances", optimizer.variances)):
        arrays.update({f"{kind}.{name}": array for name, array in values.items()})
    unfinished = folder / "checkpoint.npz.tmp"
    with unfinished.open("wb") as file:
        np.savez(file, **arrays)
    unfinished.replace(folder / "checkpoint.npz")


def resume(folder: Path, weights: dict, optimizer: Adam, made_by: str) -> int:
    """Fill weights and optimizer from the checkpoint, if there is one that fits; the number of finished epochs."""
    path = folder / "checkpoint.npz"
    if not path.is_file():
        return 0
    try:
        with np.load(path, allow_pickle=False) as file:
            saved = {name: file[name] for name in file.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        logger.warning("starting over: %s cannot be read (%s)", path, error)
        return 0
    if str(saved.get("recipe")) != made_by:
        logger.warning("starting over: %s was made with other hyperparameters (%s)", path, saved.get("recipe"))
        return 0
    for kind, values in (("weights", weights), ("means", optimizer.means), ("variances", optimizer.variances)):
        values.update({name: saved[f"{kind}.{name}"] for name in values})
    optimizer.steps = int(saved["steps"])
    logger.info("resuming after epoch %d from %s", saved["epoch"], path)
    return int(saved["epoch"])


# The whole


def main() -> None:
    arguments = parse_arguments()
    train_images, train_labels = load_split(arguments.digits / "train")
    test_images, test_labels = load_split(arguments.digits / "test")
    logger.info("%d images to train on, %d to test on", len(train_labels), len(test_labels))

    weights = new_weights(arguments.hidden, arguments.seed)
    optimizer = Adam(weights, arguments.learning_rate)
    made_by = recipe(arguments)
    finished = resume(arguments.checkpoint_dir, weights, optimizer, made_by) if arguments.checkpoint_dir else 0

    started = time.monotonic()
    for epoch in range(finished + 1, arguments.epochs + 1):
        # A generator per epoch, so that the order of the images does not depend on where a run was resumed.
        random = np.random.default_rng([arguments.seed, epoch])
        loss = train_epoch(weights, optimizer, train_images, train_labels, arguments.batch_size, random)
        reached = accuracy(confusion(weights, test_images, test_labels))
        logger.info("epoch=%d train_loss=%.4f test_accuracy=%.4f", epoch, loss, reached)
        if arguments.checkpoint_dir:
            save_checkpoint(arguments.checkpoint_dir, epoch, weights, optimizer, made_by)

    counts = confusion(weights, test_images, test_labels)
    correct, total = int(counts.trace()), int(counts.sum())
    logger.info("trained in %.1f s", time.monotonic() - started)
    logger.info("final test_accuracy=%.4f correct=%d total=%d", accuracy(counts), correct, total)

    arguments.model_dir.mkdir(parents=True, exist_ok=True)
    np.savez(arguments.model_dir / "model.npz", scale=SCALE, **weights)
    arguments.output_data_dir.mkdir(parents=True, exist_ok=True)
    evaluation = {
        "test_accuracy": round(accuracy(counts), 4),
        "correct": correct,
        "total": total,
        "confusion": counts.tolist(),  # one row per true digit
    }
    (arguments.output_data_dir / "evaluation.json").write_text(json.dumps(evaluation, indent=1) + "\n")
    logger.info("model written to %s", arguments.model_dir)


if __name__ == "__main__":
    main()
