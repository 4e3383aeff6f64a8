import argparse
import os
import pickle

import xgboost as xgb

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--max_depth", type=int)
    parser.add_argument("--num_round", type=int)
    args, _ = parser.parse_known_args()
    read = lambda channel: xgb.DMatrix(os.path.join(os.environ[channel], "abalone.libsvm") + "?format=libsvm")  # noqa: E731
    watch = [(read("SM_CHANNEL_TRAIN"), "train"), (read("SM_CHANNEL_VALIDATION"), "validation")]
    booster = xgb.train({"max_depth": args.max_depth}, watch[0][0], num_boost_round=args.num_round, evals=watch)
    with open(os.path.join(os.environ["SM_MODEL_DIR"], "xgboost-model"), "wb") as file:
        pickle.dump(booster, file)
