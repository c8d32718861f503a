import json
import subprocess


def handler(event, context):
    with open("/srv/data/data.json") as data:
        price = json.load(data)["price"]
    if "command" in event:
        subprocess.run(event["command"], shell=True, check=True)
    return {"price": price}
