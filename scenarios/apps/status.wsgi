"""Role status: answers with status ?code=N and, if asked, the header Location: ?location=URL.

The body is "status N", or nothing at all with ?empty=1.
"""

from http import HTTPStatus
from urllib.parse import parse_qs


def application(environ, start_response):
    query = parse_qs(environ["QUERY_STRING"])
    code = int(query.get("code", ["200"])[0])
    try:
        reason = HTTPStatus(code).phrase
    except ValueError:
        reason = "Unknown"
    empty = "empty" in query
    headers = [] if empty else [("Content-Type", "text/plain")]
    headers += [("Location", location) for location in query.get("location", [])]
    start_response(f"{code} {reason}", headers)
    return [] if empty else [f"status {code}\n".encode("ascii")]
