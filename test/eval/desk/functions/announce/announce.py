"""POST /announce {title, link}: tells all subscribers."""

import json
import os

import boto3

sns = boto3.client("sns", endpoint_url=os.environ.get("AWS_ENDPOINT_URL"))


def handler(event, context):
    asked = json.loads(event["body"])
    message = json.dumps({"title": asked["title"], "link": asked["link"]})
    sent = sns.publish(TopicArn=os.environ["TOPIC"], Message=message)
    return {"statusCode": 202, "body": json.dumps({"message": sent["MessageId"]})}
