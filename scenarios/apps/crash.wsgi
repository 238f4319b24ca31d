"""Role crash: ends its process inside the request, by SIGABRT, or with exit code 7 for ?how=exit; after ?after=N bytes."""

import os
from urllib.parse import parse_qs


def application(environ, start_response):
    query = parse_qs(environ["QUERY_STRING"])
    after = int(query.get("after", ["0"])[0])
    if after:
        start_response("200 OK", [("Content-Type", "text/plain")])(b"x" * after)
    if query.get("how") == ["exit"]:
        os._exit(7)
    os.abort()
