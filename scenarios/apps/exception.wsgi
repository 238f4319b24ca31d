"""Role exception: raises an exception that nobody handles, before any output or after ?after=N bytes of it."""

from urllib.parse import parse_qs


def application(environ, start_response):
    query = parse_qs(environ["QUERY_STRING"])
    after = int(query.get("after", ["0"])[0])
    if after:
        start_response("200 OK", [("Content-Type", "text/plain")])(b"x" * after)
    raise RuntimeError("role exception")
