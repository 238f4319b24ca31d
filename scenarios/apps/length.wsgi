"""Role length: answers length=N, the length of the body as the request announces it; length= if there is none."""


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"length={environ.get('CONTENT_LENGTH', '')}\n".encode("latin-1")]
