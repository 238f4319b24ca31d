"""Role pid: the number of the process that answers, in decimal, and nothing else; ?ms=N milliseconds later."""

import os
import time
from urllib.parse import parse_qs


def application(environ, start_response):
    milliseconds = int(parse_qs(environ["QUERY_STRING"]).get("ms", ["0"])[0])
    time.sleep(milliseconds / 1000)
    body = str(os.getpid()).encode("ascii")
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
