"""The runtime client of the Python runtimes: asks the Runtime API for requests and runs the user's handler with them."""

import http.client
import importlib
import json
import logging
import os
import sys
import time
import traceback
from urllib.parse import quote

BASE = "/2018-06-01/runtime"


class RuntimeClient:
    """One kept-alive connection to the Runtime API."""

    def __init__(self, address):
        self.connection = http.client.HTTPConnection(address)

    def send(self, method, path, body=None, headers=None):
        self.connection.request(method, BASE + path, body=body, headers=headers or {})
        response = self.connection.getresponse()
        return response.headers, response.read()

    def next(self):
        return self.send("GET", "/invocation/next")

    def post_response(self, request_id, body):
        path = f"/invocation/{quote(request_id)}/response"
        self.send("POST", path, body, {"Content-Type": "application/json"})

    def post_error(self, path, error):
        headers = {"Content-Type": "application/json", "Lambda-Runtime-Function-Error-Type": error["errorType"]}
        self.send("POST", path, json.dumps(error), headers)


class LambdaContext:
    """The handler's second argument."""

    def __init__(self, headers):
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.identity = None
        client_context = headers.get("Lambda-Runtime-Client-Context")
        self.client_context = json.loads(client_context) if client_context else None
        self._deadline_ms = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self):
        return max(0, self._deadline_ms - int(time.time() * 1000))


class LambdaFormatter(logging.Formatter):
    """Log lines as Lambda writes them."""

    request_id = ""
    converter = time.gmtime

    def format(self, record):
        self._style._fmt = f"[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t{self.request_id}\t%(message)s"
        self.datefmt = "%Y-%m-%dT%H:%M:%S"
        return super().format(record)


class HandlerError(Exception):
    """The handler could not be loaded. `kind` is Lambda's errorType."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


def load_handler(reference):
    module_name, dot, function_name = reference.rpartition(".")
    if not dot:
        raise HandlerError("Runtime.MalformedHandlerName", f"Bad handler '{reference}': not enough values to unpack (expected 2, got 1)")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise HandlerError("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}") from error
    except SyntaxError as error:
        raise HandlerError("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}") from error
    handler = getattr(module, function_name, None)
    if handler is None:
        raise HandlerError("Runtime.HandlerNotFound", f"Handler '{function_name}' missing on module '{module_name}'")
    return handler


def describe(error, request_id):
    kind = error.kind if isinstance(error, HandlerError) else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename != __file__]
    return {
        "errorMessage": str(error),
        "errorType": kind,
        "requestId": request_id,
        "stackTrace": traceback.format_list(own),
    }


def log_error(error):
    lines = [f"[ERROR] {error['errorType']}: {error['errorMessage']}"]
    if error["stackTrace"]:
        lines.append("Traceback (most recent call last):")
    lines += [line.rstrip("\n") for line in error["stackTrace"]]
    print("\r".join(line.replace("\n", "\r") for line in lines), flush=True)


def set_up_logging():
    formatter = LambdaFormatter()
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.WARNING)
    return formatter


def set_up_path():
    root = os.environ["LAMBDA_TASK_ROOT"]
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    sys.path = [root, f"/opt/python/lib/{version}/site-packages", "/opt/python"] + [
        path for path in sys.path if path not in (root, "", "/var/runtime")
    ] + ["/var/runtime"]


def main():
    # Lines must appear when they are printed: a frozen process flushes nothing.
    sys.stdout.reconfigure(line_buffering=True)
    client = RuntimeClient(os.environ["AWS_LAMBDA_RUNTIME_API"])
    set_up_path()
    formatter = set_up_logging()
    try:
        handler = load_handler(os.environ["_HANDLER"])
    except Exception as failure:
        error = describe(failure, "")
        log_error(error)
        client.post_error("/init/error", error)
        sys.exit(1)
    while True:
        headers, body = client.next()
        context = LambdaContext(headers)
        formatter.request_id = context.aws_request_id
        os.environ["_X_AMZN_TRACE_ID"] = headers.get("Lambda-Runtime-Trace-Id", "")
        try:
            result = handler(json.loads(body), context)
            response = json.dumps(result, ensure_ascii=False).encode("utf-8")
        except Exception as failure:
            error = describe(failure, context.aws_request_id)
            log_error(error)
            client.post_error(f"/invocation/{quote(context.aws_request_id)}/error", error)
        else:
            client.post_response(context.aws_request_id, response)


main()
