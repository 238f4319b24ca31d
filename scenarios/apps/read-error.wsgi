"""Role read-error: reads the body and answers "read N", or "not read" if it cannot be read to its end."""


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    try:
        body = environ["wsgi.input"].read()
    except OSError:
        return [b"not read\n"]
    return [f"read {len(body)}\n".encode("ascii")]
