"""Role identity: whom the process runs as: real, effective and saved user and group, and the supplementary groups."""

import os


def application(environ, start_response):
    numbers = {"uid": os.getresuid(), "gid": os.getresgid(), "groups": sorted(os.getgroups())}
    lines = [" ".join([name, *map(str, values)]) + "\n" for name, values in numbers.items()]
    body = "".join(lines).encode("ascii")
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
