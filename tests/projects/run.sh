#!/usr/bin/env bash
# The projects whose packages are too large for CI (scikit-learn, XGBoost, PyTorch), trained, served and asked in the sandbox.
#
#   tests/projects/run.sh [OPSCTL] [PROJECT…]
#
# OPSCTL is the program, ./target/debug/opsctl by default; PROJECT one of sklearn, xgboost, dog-breeds. Takes minutes and a
# gigabyte, of PyPI's; dog-breeds eight where download.pytorch.org is not reached.
set -euo pipefail
cd "$(dirname "$0")"
opsctl=$(realpath "${1:-../../target/debug/opsctl}")
shift || true
[ $# -gt 0 ] || set -- sklearn xgboost dog-breeds

# The shipped project, of which this needs nothing from the internet but packages: the photograph is in the request, and
# where the pretrained weights and the builds for EC2 are not reached, it starts from random ones and leaves EC2 out.
dog_breeds() {
    cp -r ../../config/dog-breeds "$1"
    cp ../../config/dog-breeds.toml "$1/opsctl.toml"
    sed -i 's/download(request\["url"\])/urllib.request.urlopen(request["url"]).read()/' "$1/dog-breeds/serving/inference.py"
    sed -i 's/^epochs  .*/epochs = 1/' "$1/opsctl.toml"
    curl --silent --head --max-time 5 https://download.pytorch.org >/dev/null && return
    echo "download.pytorch.org is not reached: random weights, no EC2" >&2
    sed -i 's/weights=models.ResNet50_Weights.IMAGENET1K_V2/weights=None/' "$1/dog-breeds/training/train.py"
    awk '/^\[/ { skip = /breeds-on-ec2/ } !skip' "$1/opsctl.toml" >"$1/without" && mv "$1/without" "$1/opsctl.toml"
}

for project in "$@"; do
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    case $project in
        dog-breeds) dog_breeds "$work" ;;
        *) cp -r "$project/." "$work" ;;
    esac
    export OPSCTL_SANDBOX="$work/.sandbox" OPSCTL_SANDBOX_IDLE=0s
    cd "$work"
    "$opsctl" --sandbox deploy --yes
    case $project in
        # Two rows: of one, AWS's container makes a vector, which scikit-learn refuses.
        sklearn) "$opsctl" --sandbox invoke --payload $'5.1,3.5,1.4,0.2\n6.7,3.1,4.7,1.5' --content-type text/csv ;;
        xgboost) "$opsctl" --sandbox invoke --file data/abalone.libsvm ;;
        dog-breeds)
            photo=$(base64 -w0 dog-breeds/data/dogImages/test/004.Akita/Akita_00004.jpg)
            "$opsctl" --sandbox invoke --endpoint breeds --payload "{\"url\": \"data:image/jpeg;base64,$photo\"}" -o json >answer.json
            python3 -c 'import json; logits = json.load(open("answer.json"))["answer"][0]
print(len(logits), "logits"); assert len(logits) == 133'
            "$opsctl" --sandbox logs training/breeds | grep "of what the image holds"
            ;;
    esac
    "$opsctl" --sandbox destroy --yes
    cd - >/dev/null
    rm -rf "$work"
done
