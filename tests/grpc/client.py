"""Calls the service of server.py, in all four ways and in those in which calls end. Says what it has seen.

    client.py HOST:PORT [break]        with `break`, also what only the stock app can do
"""

import queue
import sys
import threading
import time

import grpc

LIMIT = 60
OPTIONS = [
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # What is asked for is seen as it is, not what the library makes of it by asking again.
    ("grpc.enable_retries", 0),
]


class Service:
    def __init__(self, channel):
        def path(name):
            return f"/ancm.Test/{name}"

        self.unary = channel.unary_unary(path("Unary"))
        self.server_stream = channel.unary_stream(path("ServerStream"))
        self.client_stream = channel.stream_unary(path("ClientStream"))
        self.bidirectional = channel.stream_stream(path("Bidirectional"))
        self.fail = channel.unary_unary(path("Fail"))
        self.wait = channel.unary_stream(path("Wait"))
        self.cancelled = channel.unary_unary(path("Cancelled"))
        self.timeout = channel.unary_unary(path("Timeout"))
        self.break_off = channel.unary_stream(path("Break"))
        self.nothing = channel.unary_unary(path("Nothing"))


def unary(service):
    asked = (("x-ask", "a value"),)
    answer, call = service.unary.with_call(b"hello", metadata=asked, timeout=LIMIT)
    assert answer == b"hello", answer
    assert dict(call.initial_metadata())["x-initial"] == "a value"
    assert dict(call.trailing_metadata())["x-trailing-bin"] == b"\x00\x01\x02\xff"
    assert call.code() == grpc.StatusCode.OK
    assert service.unary(b"", timeout=LIMIT) == b""


def large(service):
    message = bytes(range(256)) * 16 * 1024
    assert service.unary(message, timeout=LIMIT) == message


def server_stream(service):
    got = list(service.server_stream(b"1000", timeout=LIMIT))
    assert got == [str(number).encode() for number in range(1000)]
    assert list(service.server_stream(b"0", timeout=LIMIT)) == []


def client_stream(service):
    messages = (bytes(1000) for _ in range(1000))
    assert service.client_stream(messages, timeout=LIMIT) == b"1000:1000000"
    assert service.client_stream(iter(()), timeout=LIMIT) == b"0:0"


def bidirectional(service):
    """Each message is sent only after the one before it came back."""
    asks = queue.Queue()
    answers = service.bidirectional(iter(asks.get, None), timeout=LIMIT)
    for number in range(100):
        asks.put(str(number).encode())
        assert next(answers) == str(number).encode()
    asks.put(None)
    assert list(answers) == []
    assert answers.code() == grpc.StatusCode.OK


def status(service):
    try:
        service.fail(b"", timeout=LIMIT)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.FAILED_PRECONDITION, error
        assert error.details() == "not now: ümlaut", error.details()
    else:
        raise AssertionError("it fails")
    try:
        service.nothing(b"", timeout=LIMIT)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNIMPLEMENTED, error
    else:
        raise AssertionError("there is no such method")


def cancelled(service, count):
    """Waits until the server has seen so many calls cancelled."""
    end = time.monotonic() + LIMIT
    while int(service.cancelled(b"", timeout=LIMIT)) < count:
        assert time.monotonic() < end, "the server hears of it"
        time.sleep(0.01)


def cancellation(service):
    call = service.wait(b"", timeout=LIMIT)
    assert next(call) == b"begun"
    call.cancel()
    cancelled(service, 1)
    assert call.code() == grpc.StatusCode.CANCELLED


def deadline(service):
    assert service.timeout(b"", timeout=LIMIT) == b"limited"
    assert service.timeout(b"") == b"unlimited"
    call = service.wait(b"", timeout=1)
    try:
        list(call)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, error
    else:
        raise AssertionError("it has no end")
    cancelled(service, 2)


def concurrent(service):
    wrong = []

    def call(number):
        message = str(number).encode()
        for _ in range(10):
            if service.unary(message, timeout=LIMIT) != message:
                wrong.append(number)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong


def broken(service):
    """What breaks off has no status, and never looks like an end."""
    call = service.break_off(b"", timeout=LIMIT)
    try:
        list(call)
    except grpc.RpcError as error:
        assert error.code() in (grpc.StatusCode.INTERNAL, grpc.StatusCode.CANCELLED), error
    else:
        raise AssertionError("it breaks off")


def main():
    address, *more = sys.argv[1:]
    seen = [unary, large, server_stream, client_stream, bidirectional, status, cancellation, deadline, concurrent]
    if more == ["break"]:
        seen.append(broken)
    with grpc.insecure_channel(address, options=OPTIONS) as channel:
        service = Service(channel)
        for look in seen:
            look(service)
            print(look.__name__, flush=True)


if __name__ == "__main__":
    main()
