#!/bin/sh
set -e
Rscript fit.R "$SM_CHANNEL_TRAINING" "$SM_MODEL_DIR"
