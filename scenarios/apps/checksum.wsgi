"""Role checksum: reads the body in pieces and answers two lines, length=N and sha256=HEX."""

import hashlib

PIECE = 65536


def application(environ, start_response):
    body = environ["wsgi.input"]
    length, digest = 0, hashlib.sha256()
    while piece := body.read(PIECE):
        length += len(piece)
        digest.update(piece)
    answer = f"length={length}\nsha256={digest.hexdigest()}\n".encode("ascii")
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
    return [answer]
