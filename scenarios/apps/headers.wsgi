"""Role headers: ?count=N header lines X-0, X-1 and so on, each ?length=N bytes long from its name to its last letter."""

from urllib.parse import parse_qs


def application(environ, start_response):
    query = parse_qs(environ["QUERY_STRING"])
    count = int(query.get("count", ["1"])[0])
    length = int(query.get("length", ["20"])[0])
    names = [f"X-{number}" for number in range(count)]
    headers = [(name, "x" * (length - len(name) - len(": "))) for name in names]
    start_response("200 OK", [("Content-Type", "text/plain"), *headers])
    return [b"headers\n"]
