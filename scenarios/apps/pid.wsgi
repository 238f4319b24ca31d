"""Role pid: the number of the process that answers, in decimal, and nothing else."""

import os


def application(environ, start_response):
    body = str(os.getpid()).encode("ascii")
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
