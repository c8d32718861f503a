"""GET /library/{path}?find=: documents, kept in /tmp once they were fetched. Vulnerable on purpose: `..` in the path is followed,
and the words looked for reach a shell."""

import json
import os
import subprocess
from urllib.parse import unquote

import boto3

SHELF = "/tmp/library"
s3 = boto3.client("s3", endpoint_url=os.environ.get("AWS_ENDPOINT_URL"))


def handler(event, context):
    name = unquote(event["pathParameters"]["path"])
    file = os.path.join(SHELF, name)
    os.makedirs(SHELF, exist_ok=True)
    if not os.path.exists(file):
        try:
            found = s3.get_object(Bucket=os.environ["BUCKET"], Key=f"library/{name}")
        except s3.exceptions.NoSuchKey:
            return {"statusCode": 404, "body": json.dumps({"error": f"there is no {name}"})}
        with open(file, "wb") as out:
            out.write(found["Body"].read())
    find = (event.get("queryStringParameters") or {}).get("find")
    if find is not None:
        done = subprocess.run(f'grep -n -i "{find}" {file}', shell=True, capture_output=True, text=True, timeout=20)
        return {"statusCode": 200, "body": json.dumps({"lines": done.stdout.splitlines()})}
    with open(file, encoding="utf-8", errors="replace") as text:
        return {"statusCode": 200, "body": json.dumps({"text": text.read()})}
