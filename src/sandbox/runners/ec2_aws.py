"""The part of the AWS CLI that user data needs: `aws s3 cp [--recursive]` and `aws s3 sync`, on boto3.

The endpoint, the region and the keys come from the environment. The first line, which names the interpreter, is put
before this file when it is written.
"""

import argparse
import os
import sys

import boto3


def split(uri):
    bucket, _, key = uri[len("s3://"):].partition("/")
    return bucket, key


def local_files(root):
    for directory, _, names in os.walk(root):
        for name in names:
            path = os.path.join(directory, name)
            yield os.path.relpath(path, root).replace(os.sep, "/"), path


def remote_objects(client, bucket, prefix):
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            name = item["Key"][len(prefix):].lstrip("/")
            if name and not name.endswith("/"):  # the console's folders
                yield name, item


def inside(root, name):
    path = os.path.realpath(os.path.join(root, name))
    if not path.startswith(os.path.realpath(root) + os.sep):
        sys.exit(f"aws: the key {name} leads out of {root}")
    return path


def download(client, bucket, key, path):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    client.download_file(bucket, key, path)


def tree(client, source, target, say, newer_only):
    """Copies a whole prefix or directory; `newer_only` leaves out what has the same size (and is not older)."""
    if source.startswith("s3://"):
        bucket, prefix = split(source)
        prefix = prefix if not prefix or prefix.endswith("/") else prefix + "/"
        for name, item in remote_objects(client, bucket, prefix):
            path = inside(target, name)
            if newer_only and os.path.exists(path):
                have = os.stat(path)
                if have.st_size == item["Size"] and have.st_mtime >= item["LastModified"].timestamp():
                    continue
            download(client, bucket, item["Key"], path)
            say(f"download: s3://{bucket}/{item['Key']} to {path}")
        return
    bucket, prefix = split(target)
    prefix = prefix if not prefix or prefix.endswith("/") else prefix + "/"
    there = dict(remote_objects(client, bucket, prefix)) if newer_only else {}
    for name, path in local_files(source):
        item, have = there.get(name), os.stat(path)
        if item and item["Size"] == have.st_size and item["LastModified"].timestamp() >= have.st_mtime:
            continue
        client.upload_file(path, bucket, prefix + name)
        say(f"upload: {path} to s3://{bucket}/{prefix}{name}")


def one(client, source, target, say):
    if source.startswith("s3://") and target.startswith("s3://"):
        (from_bucket, from_key), (bucket, key) = split(source), split(target)
        key = key + os.path.basename(from_key) if not key or key.endswith("/") else key
        client.copy({"Bucket": from_bucket, "Key": from_key}, bucket, key)
        return say(f"copy: {source} to s3://{bucket}/{key}")
    if source.startswith("s3://"):
        bucket, key = split(source)
        if target == "-":
            return client.download_fileobj(bucket, key, sys.stdout.buffer)
        if os.path.isdir(target) or target.endswith("/"):
            target = os.path.join(target, os.path.basename(key))
        download(client, bucket, key, target)
        return say(f"download: {source} to {target}")
    bucket, key = split(target)
    if source == "-":
        return client.upload_fileobj(sys.stdin.buffer, bucket, key)
    key = key + os.path.basename(source) if not key or key.endswith("/") else key
    client.upload_file(source, bucket, key)
    say(f"upload: {source} to s3://{bucket}/{key}")


def main():
    parser = argparse.ArgumentParser(prog="aws", description="opsctl's sandbox: s3 cp, s3 sync")
    parser.add_argument("--region")
    services = parser.add_subparsers(dest="service", required=True)
    verbs = services.add_parser("s3").add_subparsers(dest="verb", required=True)
    for verb in ("cp", "sync"):
        arguments = verbs.add_parser(verb)
        arguments.add_argument("source")
        arguments.add_argument("target")
        arguments.add_argument("--recursive", action="store_true")
        arguments.add_argument("--region")
        for flag in ("--quiet", "--only-show-errors", "--no-progress"):
            arguments.add_argument(flag, action="store_true")
    asked = parser.parse_args()
    if not (asked.source.startswith("s3://") or asked.target.startswith("s3://")):
        sys.exit("aws: one of the two paths must begin with s3://")
    say = (lambda text: None) if asked.quiet or asked.only_show_errors else (lambda text: print(text, flush=True))
    client = boto3.client("s3")
    try:
        if asked.verb == "sync" or asked.recursive:
            tree(client, asked.source, asked.target, say, newer_only=asked.verb == "sync")
        else:
            one(client, asked.source, asked.target, say)
    except Exception as error:  # the AWS CLI ends with one line and code 1
        sys.exit(f"fatal error: {error}")


if __name__ == "__main__":
    main()
