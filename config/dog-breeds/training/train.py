"""Teach a pretrained ResNet50 the 133 dog breeds: a SageMaker script-mode training script.

The body of the network keeps what it learned from ImageNet; only its last layer is replaced and trained. So an
epoch is one forward pass of ResNet50 per photograph, which a machine without GPU can do.

It reads   <dogs>/{train,valid,test}/<number>.<breed>/*.jpg
It writes  <model-dir>/model.pth, the weights of the whole network; <output-data-dir>/evaluation.json
It prints  one line per epoch that a metric definition can read:
           `epoch=3 train_loss=1.2 valid_loss=0.9 valid_accuracy=0.75`
It resumes from <checkpoint-dir>/checkpoint.pth when SageMaker restarts it on another spot instance. opsctl keeps
one folder of checkpoints per job, and a job is its code, data and hyperparameters.
It fetches the pretrained weights (98 MB) from download.pytorch.org, so the job needs a way out to the internet.
"""

import argparse
import json
import logging
import os
import re
import sys
import time
from pathlib import Path

import torch
from PIL import ImageFile
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, models, transforms

# One photograph of the data set (a Leonberger) lacks its last bytes, which must not end a run of hours.
ImageFile.LOAD_TRUNCATED_IMAGES = True

MEAN, DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]  # of ImageNet, as the pretrained weights expect

logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
logger = logging.getLogger("train")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Teach a pretrained ResNet50 the dog breeds.")
    # Hyperparameters. SageMaker writes their names as the configuration does, so both spellings are taken.
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", "--batch_size", type=int, default=32)
    parser.add_argument("--learning-rate", "--learning_rate", type=float, default=0.001)
    parser.add_argument("--num-classes", "--num_classes", type=int, default=133)
    parser.add_argument("--seed", type=int, default=7)
    # Places. SageMaker sets these variables.
    place = os.environ.get
    parser.add_argument("--dogs", type=Path, default=place("SM_CHANNEL_DOGS", "/opt/ml/input/data/dogs"))
    parser.add_argument("--model-dir", type=Path, default=place("SM_MODEL_DIR", "/opt/ml/model"))
    parser.add_argument("--output-data-dir", type=Path, default=place("SM_OUTPUT_DATA_DIR", "/opt/ml/output/data"))
    parser.add_argument("--checkpoint-dir", type=Path, default=default_checkpoint_dir())
    return parser.parse_args()


def default_checkpoint_dir():
    """SageMaker makes /opt/ml/checkpoints only for jobs that have a checkpoint configuration."""
    asked = os.environ.get("SM_CHECKPOINT_DIR")
    if asked:
        return Path(asked)
    usual = Path("/opt/ml/checkpoints")
    return usual if usual.is_dir() else None


# Data


class Breeds(datasets.ImageFolder):
    """Photographs by breed. The label is the number in the folder's name less one, not the folder's position.

    So labels agree between splits, and between runs, even when a split lacks a breed.
    """

    def __init__(self, root: Path, transform, num_classes: int):
        self.num_classes = num_classes
        super().__init__(str(root), transform)

    def find_classes(self, directory):
        names = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())
        labels = {}
        for name in names:
            number = re.match(r"(\d+)\.", name)
            if not number or not 1 <= int(number[1]) <= self.num_classes:
                raise ValueError(f"{directory}/{name}: a folder is named 001.Breed, up to {self.num_classes}")
            labels[name] = int(number[1]) - 1
        if not names:
            raise FileNotFoundError(f"{directory} holds no folders of photographs")
        return names, labels


def load_split(arguments: argparse.Namespace, split: str) -> DataLoader:
    """Photographs of one split in batches; those to train on are shuffled, cropped and mirrored at random."""
    training = split == "train"
    crop = (
        [transforms.RandomResizedCrop(224, scale=(0.5, 1.0)), transforms.RandomHorizontalFlip()]
        if training
        else [transforms.Resize(256), transforms.CenterCrop(224)]
    )
    transform = transforms.Compose([*crop, transforms.ToTensor(), transforms.Normalize(MEAN, DEVIATION)])
    return DataLoader(
        Breeds(arguments.dogs / split, transform, arguments.num_classes),
        batch_size=arguments.batch_size,
        shuffle=training,
        num_workers=min(4, os.cpu_count() or 1),
    )


# Model


def new_model(num_classes: int) -> nn.Module:
    """ResNet50 as pretrained on ImageNet, frozen, with a new last layer."""
    model = models.resnet50(weights=models.ResNet50_Weights.IMAGENET1K_V2)
    for parameter in model.parameters():
        parameter.requires_grad = False
    model.fc = nn.Linear(model.fc.in_features, num_classes)
    # Evaluation mode always, also while training: the statistics of the frozen batch normalization must not drift.
    return model.eval()


def train_epoch(model: nn.Module, loader: DataLoader, optimizer, device) -> float:
    """One pass over the photographs; their mean loss."""
    total = 0.0
    for batch, (images, labels) in enumerate(loader):
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
        if batch % 50 == 0:
            logger.info("batch %d of %d: loss %.4f", batch + 1, len(loader), loss.item())
    return total / len(loader.dataset)


@torch.no_grad()
def evaluate(model: nn.Module, loader: DataLoader, device):
    """The mean loss, and how many labels were right."""
    total, correct = 0.0, 0
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        logits = model(images)
        total += nn.functional.cross_entropy(logits, labels, reduction="sum").item()
        correct += int((logits.argmax(dim=1) == labels).sum())
    return total / len(loader.dataset), correct


# Checkpoints: the last layer, which is all that training changes, its optimizer, and the best layer so far


def recipe(arguments: argparse.Namespace) -> dict:
    """What a checkpoint must have been trained with to be continued."""
    names = ("epochs", "batch_size", "learning_rate", "num_classes", "seed")
    return {name: getattr(arguments, name) for name in names}


def save_checkpoint(folder: Path, state: dict) -> None:
    """Written beside and renamed: an interruption leaves the old checkpoint or the new one, never half of one."""
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / "checkpoint.pth.tmp"
    torch.save(state, unfinished)
    unfinished.replace(folder / "checkpoint.pth")


def load_checkpoint(folder: Path, made_with: dict, device):
    """The state that was saved, if there is one that fits; else None."""
    path = folder / "checkpoint.pth"
    if not path.is_file():
        return None
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # a broken file shows as any of a dozen types; a checkpoint is never worth failing for
        logger.warning("starting over: %s cannot be read (%s)", path, type(error).__name__)
        return None
    if state["recipe"] != made_with:
        logger.warning("starting over: %s was made with other hyperparameters (%s)", path, state["recipe"])
        return None
    logger.info("resuming after epoch %d from %s", state["epoch"], path)
    return state


# The whole


def main() -> None:
    arguments = parse_arguments()
    torch.manual_seed(arguments.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    loaders = {split: load_split(arguments, split) for split in ("train", "valid", "test")}
    sizes = {split: len(loader.dataset) for split, loader in loaders.items()}
    logger.info("photographs: %s, device: %s", sizes, device)

    model = new_model(arguments.num_classes).to(device)
    optimizer = torch.optim.Adam(model.fc.parameters(), lr=arguments.learning_rate)
    made_with = recipe(arguments)
    finished, best, best_loss = 0, None, float("inf")
    state = load_checkpoint(arguments.checkpoint_dir, made_with, device) if arguments.checkpoint_dir else None
    if state:
        model.fc.load_state_dict(state["layer"])
        optimizer.load_state_dict(state["optimizer"])
        finished, best, best_loss = state["epoch"], state["best"], state["best_loss"]

    started = time.monotonic()
    for epoch in range(finished + 1, arguments.epochs + 1):
        torch.manual_seed(arguments.seed + epoch)  # the order must not depend on where a run was resumed
        train_loss = train_epoch(model, loaders["train"], optimizer, device)
        valid_loss, correct = evaluate(model, loaders["valid"], device)
        valid_accuracy = correct / sizes["valid"]
        logger.info(
            "epoch=%d train_loss=%.4f valid_loss=%.4f valid_accuracy=%.4f",
            epoch,
            train_loss,
            valid_loss,
            valid_accuracy,
        )
        if valid_loss < best_loss:
            best_loss = valid_loss
            best = {name: values.clone() for name, values in model.fc.state_dict().items()}
        if arguments.checkpoint_dir:
            state = {
                "epoch": epoch,
                "layer": model.fc.state_dict(),
                "optimizer": optimizer.state_dict(),
                "best": best,
                "best_loss": best_loss,
                "recipe": made_with,
            }
            save_checkpoint(arguments.checkpoint_dir, state)

    if best:
        model.fc.load_state_dict(best)
    test_loss, correct = evaluate(model, loaders["test"], device)
    test_accuracy = correct / sizes["test"]
    logger.info("trained in %.0f s", time.monotonic() - started)
    logger.info(
        "final test_loss=%.4f test_accuracy=%.4f correct=%d total=%d", test_loss, test_accuracy, correct, sizes["test"]
    )

    arguments.model_dir.mkdir(parents=True, exist_ok=True)
    torch.save(model.cpu().state_dict(), arguments.model_dir / "model.pth")
    arguments.output_data_dir.mkdir(parents=True, exist_ok=True)
    evaluation = {"test_loss": test_loss, "test_accuracy": test_accuracy, "correct": correct, "total": sizes["test"]}
    (arguments.output_data_dir / "evaluation.json").write_text(json.dumps(evaluation, indent=1) + "\n")
    logger.info("model written to %s", arguments.model_dir)


if __name__ == "__main__":
    main()
