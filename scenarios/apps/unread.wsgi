"""Role unread: answers "unread" without having looked at the body."""


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"unread\n"]
