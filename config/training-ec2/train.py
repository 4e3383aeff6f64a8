# The same network as ../training/train.py, written as a plain script for an EC2 instance: no main, no argument
# parser, no logger. opsctl's bootstrap sets the same SM_* variables that SageMaker sets, so only the style differs.
import json
import os

import numpy as np

data = os.environ["SM_CHANNEL_DIGITS"]
model_dir = os.environ["SM_MODEL_DIR"]
settings = {"epochs": 40, "batch-size": 32, "learning-rate": 0.002, "hidden": 128, "seed": 7}
# SageMaker spells a hyperparameter as the configuration does: learning-rate or learning_rate.
settings.update({name.replace("_", "-"): value for name, value in json.loads(os.environ.get("SM_HPS", "{}")).items()})

images, labels = {}, {}
for split in ("train", "test"):
    rows = [np.loadtxt(f"{data}/{split}/{digit}.csv", delimiter=",", ndmin=2) for digit in range(10)]
    images[split] = np.concatenate(rows) / 16.0
    labels[split] = np.repeat(np.arange(10), [len(digit_rows) for digit_rows in rows])

random = np.random.default_rng(settings["seed"])
hidden = settings["hidden"]
weights = {
    "hidden_weights": random.normal(0, np.sqrt(2 / 64), (64, hidden)),
    "hidden_bias": np.zeros(hidden),
    "output_weights": random.normal(0, np.sqrt(2 / hidden), (hidden, 10)),
    "output_bias": np.zeros(10),
}
means = {name: np.zeros_like(values) for name, values in weights.items()}
variances = {name: np.zeros_like(values) for name, values in weights.items()}
steps = 0

for epoch in range(1, settings["epochs"] + 1):
    order = np.random.default_rng([settings["seed"], epoch]).permutation(len(labels["train"]))
    loss = 0.0
    for start in range(0, len(order), settings["batch-size"]):
        batch = order[start : start + settings["batch-size"]]
        x, y = images["train"][batch], labels["train"][batch]

        # Forward: one hidden layer with ReLU, then the log of the softmax.
        activations = np.maximum(x @ weights["hidden_weights"] + weights["hidden_bias"], 0)
        logits = activations @ weights["output_weights"] + weights["output_bias"]
        logits -= logits.max(axis=1, keepdims=True)
        log_likelihoods = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        rows = np.arange(len(y))
        loss -= log_likelihoods[rows, y].sum()

        # Backward.
        by_logits = np.exp(log_likelihoods)
        by_logits[rows, y] -= 1
        by_logits /= len(y)
        by_activations = (by_logits @ weights["output_weights"].T) * (activations > 0)
        gradients = {
            "hidden_weights": x.T @ by_activations,
            "hidden_bias": by_activations.sum(axis=0),
            "output_weights": activations.T @ by_logits,
            "output_bias": by_logits.sum(axis=0),
        }

        # Adam.
        steps += 1
        rate = settings["learning-rate"] * np.sqrt(1 - 0.999**steps) / (1 - 0.9**steps)
        for name, gradient in gradients.items():
            means[name] = 0.9 * means[name] + 0.1 * gradient
            variances[name] = 0.999 * variances[name] + 0.001 * gradient**2
            weights[name] -= rate * means[name] / (np.sqrt(variances[name]) + 1e-8)

    activations = np.maximum(images["test"] @ weights["hidden_weights"] + weights["hidden_bias"], 0)
    logits = activations @ weights["output_weights"] + weights["output_bias"]
    correct = int((logits.argmax(axis=1) == labels["test"]).sum())
    total = len(labels["test"])
    print(f"epoch={epoch} train_loss={loss / len(order):.4f} test_accuracy={correct / total:.4f}")

print(f"final test_accuracy={correct / total:.4f} correct={correct} total={total}")
os.makedirs(model_dir, exist_ok=True)
np.savez(os.path.join(model_dir, "model.npz"), scale=16.0, **weights)
print("saved model.npz")
