"""Role late-header: sends the line "begun", tries to add the header X-Late, answers "refused" or "taken"."""

import sys


def application(environ, start_response):
    headers = [("Content-Type", "text/plain")]
    write = start_response("200 OK", headers)
    write(b"begun\n")
    try:
        raise LookupError("a reason for new headers")
    except LookupError as reason:
        try:
            start_response("200 OK", [*headers, ("X-Late", "1")], sys.exc_info())
        except LookupError as refusal:
            return [b"refused\n" if refusal is reason else b"taken\n"]
    return [b"taken\n"]
