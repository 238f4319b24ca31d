"""Role stream: ?count=N pieces, "piece 1" and so on, each flushed, with ?ms=N milliseconds between them."""

import time
from urllib.parse import parse_qs


def application(environ, start_response):
    query = parse_qs(environ["QUERY_STRING"])
    count = int(query.get("count", ["3"])[0])
    pause = int(query.get("ms", ["0"])[0]) / 1000
    start_response("200 OK", [("Content-Type", "text/plain")])
    return pieces(count, pause)


def pieces(count, pause):
    for number in range(1, count + 1):
        if number > 1:
            time.sleep(pause)
        yield f"piece {number}\n".encode("ascii")
