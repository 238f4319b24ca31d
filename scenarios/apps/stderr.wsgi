"""Role stderr: writes ?bytes=N letters x in lines of 80 to its error log, then ?line=TEXT; answers "logged"."""

from urllib.parse import parse_qs


def application(environ, start_response):
    query = parse_qs(environ["QUERY_STRING"])
    errors = environ["wsgi.errors"]
    size = int(query.get("bytes", ["0"])[0])
    for at in range(0, size, 80):
        errors.write("x" * (min(80, size - at) - 1) + "\n")
    for line in query.get("line", []):
        errors.write(line + "\n")
    errors.flush()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"logged\n"]
