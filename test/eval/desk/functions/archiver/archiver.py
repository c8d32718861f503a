"""Hears announcements through a queue: keeps the page that is announced."""

import json
import os
import urllib.request

import boto3

s3 = boto3.client("s3", endpoint_url=os.environ.get("AWS_ENDPOINT_URL"))


def handler(event, context):
    for record in event["Records"]:
        told = json.loads(record["body"])
        with urllib.request.urlopen(json.loads(told["Message"])["link"], timeout=5) as page:
            s3.put_object(Bucket=os.environ["BUCKET"], Key=f"archive/{told['MessageId']}.html", Body=page.read())
