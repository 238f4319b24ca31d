"""What a soak asks for, by path. Nothing here keeps anything from one request to the next."""

import os
import time

LARGE = b"0123456789abcdef" * 65536


def pieces():
    for number in range(20):
        yield b"piece %2d\n" % number


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/crash":
        os.abort()
    if path == "/exception":
        raise RuntimeError("asked for")
    if path == "/slow":
        time.sleep(0.2)
    body = [b"ok"]
    if path == "/echo":
        body = [environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))]
    elif path == "/large":
        body = [LARGE]
    elif path == "/stream":
        body = pieces()
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return body
