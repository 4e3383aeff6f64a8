# The same training as ../training/train.py, written as a plain script for an EC2 instance: no main, no argument
# parser, no logger. opsctl's bootstrap sets the same SM_* variables that SageMaker sets, so only the style differs.
import json
import os

import torch
from PIL import ImageFile
from torch import nn
from torchvision import datasets, models, transforms

data = os.environ["SM_CHANNEL_DOGS"]
model_dir = os.environ["SM_MODEL_DIR"]
settings = {"epochs": 5, "batch-size": 32, "learning-rate": 0.001, "num-classes": 133, "seed": 7}
# SageMaker spells a hyperparameter as the configuration does: learning-rate or learning_rate.
settings.update({name.replace("_", "-"): value for name, value in json.loads(os.environ.get("SM_HPS", "{}")).items()})
torch.manual_seed(settings["seed"])

# One photograph of the data set lacks its last bytes.
ImageFile.LOAD_TRUNCATED_IMAGES = True

normalize = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
varied = transforms.Compose(
    [
        transforms.RandomResizedCrop(224, scale=(0.5, 1.0)),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        normalize,
    ]
)
plain = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor(), normalize])

loaders = {}
for split in ("train", "valid", "test"):
    photographs = datasets.ImageFolder(os.path.join(data, split), varied if split == "train" else plain)
    # The label is the number in the folder's name (001.Affenpinscher) less one, also when breeds are missing.
    numbers = [int(name.split(".")[0]) - 1 for name in photographs.classes]
    photographs.target_transform = numbers.__getitem__
    # Without worker processes: where Python does not fork, they need a main to start from.
    loaders[split] = torch.utils.data.DataLoader(
        photographs, batch_size=settings["batch-size"], shuffle=split == "train"
    )

# ResNet50 as pretrained on ImageNet, frozen, with a new last layer. It stays in evaluation mode, so that the
# statistics of its batch normalization do not drift.
model = models.resnet50(weights=models.ResNet50_Weights.IMAGENET1K_V2)
for parameter in model.parameters():
    parameter.requires_grad = False
model.fc = nn.Linear(model.fc.in_features, settings["num-classes"])
model.eval()

criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.fc.parameters(), lr=settings["learning-rate"])

for epoch in range(1, settings["epochs"] + 1):
    train_loss = 0.0
    for images, labels in loaders["train"]:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        train_loss += loss.item() * len(labels)
    train_loss /= len(loaders["train"].dataset)

    results = {}
    for split in ("valid", "test"):
        correct, total_loss = 0, 0.0
        with torch.no_grad():
            for images, labels in loaders[split]:
                logits = model(images)
                total_loss += criterion(logits, labels).item() * len(labels)
                correct += int((logits.argmax(dim=1) == labels).sum())
        total = len(loaders[split].dataset)
        results[split] = (total_loss / total, correct, total)
    valid_loss, valid_correct, valid_total = results["valid"]
    print(
        f"epoch={epoch} train_loss={train_loss:.4f} valid_loss={valid_loss:.4f} "
        f"valid_accuracy={valid_correct / valid_total:.4f}"
    )

test_loss, correct, total = results["test"]
print(f"final test_loss={test_loss:.4f} test_accuracy={correct / total:.4f} correct={correct} total={total}")
os.makedirs(model_dir, exist_ok=True)
torch.save(model.state_dict(), os.path.join(model_dir, "model.pth"))
print("saved model.pth")
