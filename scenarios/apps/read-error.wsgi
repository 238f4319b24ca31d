"""Role read-error: reads the body, answers "read N", or writes the line "body error" to its error log if that fails."""


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    try:
        body = environ["wsgi.input"].read()
    except OSError:
        environ["wsgi.errors"].write("body error\n")
        environ["wsgi.errors"].flush()
        return [b"not read\n"]
    return [f"read {len(body)}\n".encode("ascii")]
