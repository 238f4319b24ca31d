"""Role process-env: the environment of the process (not of the request), written as role environ writes it."""

import os


def escaped(data):
    return "".join(chr(byte) if 0x20 <= byte <= 0x7E and byte != 0x25 else f"%{byte:02X}" for byte in data)


def application(environ, start_response):
    lines = sorted(f"{escaped(name)}={escaped(value)}\n" for name, value in os.environb.items())
    body = "".join(lines).encode("ascii")
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
