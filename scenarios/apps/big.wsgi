"""Role big: a body of ?bytes=N bytes, the sixteen digits 0123456789abcdef again and again, in pieces of ?piece=N."""

from urllib.parse import parse_qs

PATTERN = b"0123456789abcdef"


def application(environ, start_response):
    query = parse_qs(environ["QUERY_STRING"])
    size = int(query.get("bytes", ["0"])[0])
    piece = int(query.get("piece", [str(max(size, 1))])[0])
    body = PATTERN * (size // len(PATTERN)) + PATTERN[: size % len(PATTERN)]
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(size))])
    return (body[at : at + piece] for at in range(0, size, piece))
