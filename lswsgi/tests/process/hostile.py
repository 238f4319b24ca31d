"""An application that runs its own code wherever the runtime gives it an opportunity, and changes under its hands what it
has given it. Every request must be answered or be refused, and memory must stay what it was."""

import gc
import os
import random
import sys
import threading

headers = [("X-%d" % number, "v" * number) for number in range(50)]
body = [b"x" * 1000] * 20
kept = []

with open("data", "wb") as data:
    data.write(bytes(300_000))


def change_everything():
    while True:
        try:
            headers.append(("A", "b"))
            headers.pop(0)
            body.append(b"y" * random.randrange(20_000))
            body.pop(0)
            if random.random() < 0.1:
                body[:] = [b"z" * 50_000] * 5
            for call in kept[-3:]:
                call()
        except Exception:
            pass
        del kept[:-20], headers[60:], body[40:]


class Text(str):
    def __repr__(self):
        call_all(self.calls)
        return "text"

    def __del__(self):
        call_all(getattr(self, "calls", ()))


class Bytes(bytes):
    pass


class Body:
    def __init__(self, calls):
        self.left, self.calls, self.me = 5, calls, self

    def __iter__(self):
        return self

    def __next__(self):
        self.left -= 1
        if not self.left:
            raise StopIteration
        gc.collect()
        self.calls[0]()
        return Bytes(b"p" * random.randrange(40_000))

    def close(self):
        call_all(self.calls)

    __del__ = close


class File:
    def __init__(self):
        self.pieces = [b"abc", Bytes(b"q" * 30_000), b""]

    def read(self, size):
        gc.collect()
        return self.pieces.pop(0)


class Emptied(list):
    def __iter__(self):
        self.clear()
        gc.collect()
        return iter([b"1", b"2"])


def call_all(calls):
    for call in calls:
        try:
            call()
        except Exception:
            pass


def read_all(source):
    while True:
        try:
            if not random.choice([lambda: source.read(1000), source.readline, lambda: source.readlines(3000)])():
                return
        except RuntimeError:  # another thread reads
            pass


def application(environ, start_response):
    kind = environ["QUERY_STRING"]
    if kind == "lists":
        start_response("200 OK", headers)
        return body
    if kind == "texts":
        name, value = Text("a b"), Text("c\n")
        name.calls = value.calls = [lambda: start_response("200 OK", headers), gc.collect]
        call_all([lambda: start_response(Text("200 OK"), [(name, value)])])
        start_response("200 OK", [], (ValueError, ValueError(), None))
        return [b"ok"]
    if kind == "body":
        write = start_response("200 OK", [])
        return Body([lambda: write(b"w"), lambda: start_response("200 OK", []), environ.clear])
    if kind == "file":
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](File(), random.choice([1, 100]))
    if kind == "closed":
        file = open("data", "rb")
        kept.append(file.close)
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](file)
    if kind == "input":
        source = environ["wsgi.input"]
        threads = [threading.Thread(target=read_all, args=(source,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        read_all(source)
        for thread in threads:
            thread.join()
        kept.append(source.read)
    if kind == "keep":
        write = start_response("200 OK", [])
        kept.extend([lambda: write(b"kept"), lambda: start_response("200 OK", headers)])
        environ.clear()
        return (b"a", b"b")
    if kind == "fork" and not os.fork():
        return body
    start_response("200 OK", [])
    return Emptied([b"a"])


for _ in range(2):
    threading.Thread(target=change_everything, daemon=True).start()
sys.setswitchinterval(1e-4)
