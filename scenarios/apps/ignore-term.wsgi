"""Role ignore-term: ignores SIGTERM from its first request on, then does what role sleep does."""

import signal
import time
from urllib.parse import parse_qs


def application(environ, start_response):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    query = parse_qs(environ["QUERY_STRING"])
    milliseconds = int(query.get("ms", ["0"])[0])
    time.sleep(milliseconds / 1000)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"slept {milliseconds}\n".encode("ascii")]
