import argparse
import os

import joblib
import numpy as np
from sklearn import tree


def model_fn(model_dir):
    return joblib.load(os.path.join(model_dir, "model.joblib"))


def predict_fn(rows, model):
    return model.predict(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--max_leaf_nodes", type=int, default=-1)
    parser.add_argument("--model-dir", default=os.environ.get("SM_MODEL_DIR"))
    parser.add_argument("--train", default=os.environ.get("SM_CHANNEL_TRAIN"))
    args = parser.parse_args()
    rows = np.loadtxt(os.path.join(args.train, "iris.csv"), delimiter=",")
    fitted = tree.DecisionTreeClassifier(max_leaf_nodes=args.max_leaf_nodes).fit(rows[:, 1:], rows[:, 0])
    joblib.dump(fitted, os.path.join(args.model_dir, "model.joblib"))
