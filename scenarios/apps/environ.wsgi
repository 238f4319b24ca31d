"""Role environ: the variables of the request, a line NAME=value each, sorted by name.

In names and values every byte outside printable ASCII, and the percent sign, is written as %XX.
"""


def escaped(text):
    return "".join(
        chr(byte) if 0x20 <= byte <= 0x7E and byte != 0x25 else f"%{byte:02X}" for byte in text.encode("latin-1")
    )


def application(environ, start_response):
    lines = sorted(
        f"{escaped(name)}={escaped(value)}\n" for name, value in environ.items() if type(value) is str
    )
    body = "".join(lines).encode("ascii")
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
