# A part of the workflow as a person types it; whatever is refused ends it. Writes one JSON document.
# shellcheck shell=bash
set -euo pipefail
exec 3>&1 1>&2
trust='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
echo 'def handler(event, context): return event' >app.py
python -m zipfile -c f.zip app.py

# Files of the machine, small ones and one in parts.
mkdir -p points back && echo 1,5 >points/points.csv
python -c 'import os; open("points/large.bin", "wb").write(os.urandom(20 << 20))'
aws s3 mb s3://cli-data
aws s3 sync points s3://cli-data/points
aws s3 cp s3://cli-data/points back --recursive
cmp points/large.bin back/large.bin
aws s3 presign s3://cli-data/points/points.csv | grep -q Signature

role=$(aws iam create-role --role-name cli --assume-role-policy-document "$trust" --query Role.Arn --output text)
until aws lambda create-function --function-name cli --runtime python3.12 --handler app.handler --role "$role" \
    --timeout 30 --zip-file fileb://f.zip 2>refusal; do
    grep -q 'cannot be assumed' refusal
done
aws lambda wait function-active-v2 --function-name cli
version=$(aws lambda publish-version --function-name cli --query Version --output text)
aws lambda create-alias --function-name cli --name live --function-version "$version"
aws lambda put-provisioned-concurrency-config --function-name cli --qualifier live --provisioned-concurrent-executions 1
provisioned=IN_PROGRESS
while [ "$provisioned" = IN_PROGRESS ]; do
    provisioned=$(aws lambda get-provisioned-concurrency-config --function-name cli --qualifier live \
        --query Status --output text)
done
functions=$(aws lambda list-functions --query 'Functions[].FunctionName' --output json)
log=$(aws lambda invoke --function-name cli:live --payload '{"x": 100}' --log-type Tail --query LogResult \
    --output text answer.json | base64 -d | grep -o '^REPORT')

aws lambda delete-function --function-name cli
aws iam delete-role --role-name cli
aws s3 rb s3://cli-data --force
left=$(aws s3api list-buckets --query 'Buckets[].Name' --output json)
cat >&3 <<END
{"Functions": $functions, "Answer": $(cat answer.json), "Provisioned": "$provisioned", "Log": "$log", "Left": $left}
END
