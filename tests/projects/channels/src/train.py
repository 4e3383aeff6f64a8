import json
import os
import shutil


def rows(folder):
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name)) as file:
            yield from (line.split(",") for line in file.read().split())


if __name__ == "__main__":
    train = {tuple(row[:-1]): row[-1] for row in rows(os.environ["SM_CHANNEL_TRAIN_DATA"])}
    test = list(rows(os.environ["SM_CHANNEL_TEST"]))
    right = sum(train.get(tuple(row[:-1])) == row[-1] for row in test)
    with open("/tmp/model.json", "w") as file:
        json.dump([[*key, label] for key, label in train.items()], file)
    shutil.copy("/tmp/model.json", os.environ["SM_MODEL_DIR"])
    print(f"accuracy={right / len(test):.2f}")
