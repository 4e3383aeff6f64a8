import os
import pickle

import xgboost as xgb


def model_fn(model_dir):
    with open(os.path.join(model_dir, "xgboost-model"), "rb") as file:
        return pickle.load(file)


def input_fn(body, content_type):
    rows = [[float(cell.split(":")[-1]) for cell in line.split()[1:]] for line in body.decode().splitlines()]
    return xgb.DMatrix(rows)


def predict_fn(rows, model):
    return model.predict(rows).tolist()
