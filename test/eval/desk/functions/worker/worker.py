"""Works off the queue of jobs: makes a thumbnail's description of every document. Vulnerable on purpose: the size reaches a shell."""

import json
import os
import subprocess

import boto3

s3 = boto3.client("s3", endpoint_url=os.environ.get("AWS_ENDPOINT_URL"))
DONE = "/tmp/worker-done.log"


def handler(event, context):
    before = 0
    if os.path.exists(DONE):
        with open(DONE, encoding="utf-8") as done:
            before = len(done.readlines())
    for record in event["Records"]:
        job = json.loads(record["body"])
        made = subprocess.run(f'echo "thumbnail {job["size"]}" | tr a-z A-Z', shell=True, capture_output=True, timeout=20)
        with open(DONE, "a", encoding="utf-8") as done:
            done.write(f"{record['messageId']}\n")
        key = f"thumbnails/{record['messageId']}.txt"
        s3.put_object(Bucket=os.environ["BUCKET"], Key=key, Body=made.stdout)
    return {"done": before + len(event["Records"])}
