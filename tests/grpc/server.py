"""A service of gRPC with all four kinds of calls, on gRPC's own library. Its messages are bytes.

Prints its port and serves until its standard input ends. tests/aspnetcore/StockApp/Grpc.cs is the same service.
"""

import sys
import threading
from concurrent import futures

import grpc

cancelled = 0
lock = threading.Lock()


def unary(request, context):
    asked = dict(context.invocation_metadata())
    if "x-ask" in asked:
        context.send_initial_metadata((("x-initial", asked["x-ask"]),))
    context.set_trailing_metadata((("x-trailing-bin", b"\x00\x01\x02\xff"),))
    return request


def server_stream(request, context):
    for number in range(int(request)):
        yield str(number).encode()


def client_stream(requests, context):
    sizes = [len(message) for message in requests]
    return f"{len(sizes)}:{sum(sizes)}".encode()


def bidirectional(requests, context):
    yield from requests


def fail(request, context):
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not now: ümlaut")


def wait(request, context):
    """Says that it has begun, and goes on until nobody waits for it any more."""
    ended = threading.Event()
    context.add_callback(ended.set)
    yield b"begun"
    ended.wait()
    global cancelled
    with lock:
        cancelled += 1


def count(request, context):
    return str(cancelled).encode()


def timeout(request, context):
    left = context.time_remaining()
    return b"limited" if left is not None and left < 1e6 else b"unlimited"


def handlers():
    return grpc.method_handlers_generic_handler(
        "ancm.Test",
        {
            "Unary": grpc.unary_unary_rpc_method_handler(unary),
            "ServerStream": grpc.unary_stream_rpc_method_handler(server_stream),
            "ClientStream": grpc.stream_unary_rpc_method_handler(client_stream),
            "Bidirectional": grpc.stream_stream_rpc_method_handler(bidirectional),
            "Fail": grpc.unary_unary_rpc_method_handler(fail),
            "Wait": grpc.unary_stream_rpc_method_handler(wait),
            "Cancelled": grpc.unary_unary_rpc_method_handler(count),
            "Timeout": grpc.unary_unary_rpc_method_handler(timeout),
        },
    )


def main():
    options = [("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=64), options=options)
    server.add_generic_rpc_handlers((handlers(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(0)


if __name__ == "__main__":
    main()
