import json
import os
import urllib.request


def model_fn(model_dir):
    with open(os.path.join(model_dir, "model.json")) as file:
        return json.load(file)


def input_fn(request_body, content_type="image/jpeg"):
    if content_type == "image/jpeg":
        return request_body
    if content_type == "application/json":
        return urllib.request.urlopen(json.loads(request_body)["url"]).read()
    raise Exception("Requested unsupported ContentType in content_type: {}".format(content_type))


def predict_fn(photo, model):
    mean = sum(photo) / len(photo)
    return [[-abs(mean - other) for other in model.values()]]


def output_fn(prediction, accept):
    return json.dumps(prediction)
