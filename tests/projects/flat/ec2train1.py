import json
import os

# As it was written for an instance that somebody had prepared by hand: no arguments, no variables.
data_dir = "dogImages"
means = {}
for name in sorted(os.listdir(data_dir)):
    with open(os.path.join(data_dir, name), "rb") as file:
        content = file.read()
    means[os.path.splitext(name)[0]] = sum(content) / len(content)
print("Starting Model Training")
with open("TrainedModels/model.json", "w") as file:
    json.dump(means, file)
print("saved")
