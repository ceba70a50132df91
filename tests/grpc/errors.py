"""Calls an app that is not there, and says what the library makes of the answer.

    errors.py HOST:PORT        prints a code and details, for one attempt, and the code after three
"""

import json
import sys

import grpc

LIMIT = 60
RETRIES = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.01s",
                "maxBackoff": "0.01s",
                "backoffMultiplier": 1,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}


def failure(address, options):
    options = [("grpc.enable_http_proxy", 0), *options]
    with grpc.insecure_channel(address, options=options) as channel:
        call = channel.unary_unary("/ancm.Test/Unary")
        try:
            call(b"hello", timeout=LIMIT)
        except grpc.RpcError as error:
            return error
    raise AssertionError("nobody is there")


def main():
    (address,) = sys.argv[1:]
    once = failure(address, [("grpc.enable_retries", 0)])
    print(once.code().name)
    print(once.details())
    policy = [("grpc.enable_retries", 1), ("grpc.service_config", json.dumps(RETRIES))]
    print(failure(address, policy).code().name)


if __name__ == "__main__":
    main()
