"""environ: what an application is told about a request."""

import sys

# Bytes of a file that are read at a time, if the application does not say.
BLOCK_SIZE = 16384


class FileWrapper:
    """wsgi.file_wrapper: anything with read(), from where it stands."""

    def __init__(self, file, block_size=BLOCK_SIZE):
        self.file = file
        self.block_size = block_size

    def __iter__(self):
        return iter(lambda: self.file.read(self.block_size), b"")

    def close(self):
        if hasattr(self.file, "close"):
            self.file.close()


class Variables:
    """What goes into environ: the server's variables, the headers, the keys of WSGI."""

    def make(self, request, body):
        environ = self.first()
        for name, value in request.headers:
            key = self.key(name)
            if key is not None:
                value = self.text(value)
                environ[key] = self.joined(key, environ[key], value) if key in environ else value
        # The packet knows better than the header how long the body is.
        was_told = environ.pop("CONTENT_LENGTH", None)
        if body.length or (was_told and body.length == 0):
            environ["CONTENT_LENGTH"] = str(body.length)
        for name, value in request.variables:
            # The server may send what lies behind the value in its memory, after a NUL.
            if not name.startswith(("wsgi.", "LSAPI_")):
                environ[name] = value.split(b"\0")[0].decode("latin-1")
        # Applications count on these. The server leaves some out, or has no value for them.
        is_https = environ.get("HTTPS", "").lower() in ("on", "1", "yes")
        for name, value in (
            ("SERVER_NAME", "localhost"),
            ("SERVER_PORT", "443" if is_https else "80"),
            ("SERVER_PROTOCOL", "HTTP/1.1"),
            ("GATEWAY_INTERFACE", "CGI/1.1"),
            ("REQUEST_METHOD", "GET"),
        ):
            environ[name] = environ.get(name) or value
        for name in ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING"):
            environ.setdefault(name, "")
        if environ["SCRIPT_NAME"].endswith("/"):
            # The two together are the path of the URL, in which that slash is.
            environ["SCRIPT_NAME"] = environ["SCRIPT_NAME"][:-1]
            if not environ["PATH_INFO"].startswith("/"):
                environ["PATH_INFO"] = "/" + environ["PATH_INFO"]
        environ.update({
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https" if is_https else "http",
            "wsgi.input": body,
            "wsgi.input_terminated": body.length is not None,
            "wsgi.errors": sys.stderr,
            "wsgi.file_wrapper": FileWrapper,
            "wsgi.multithread": False,
            # The server starts more of us when it likes.
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        })
        return environ

    def first(self):
        return {}

    def key(self, name):
        """The key of the header `name`; None for one that would be taken for something else."""
        if "_" in name or name.lower() == "proxy":
            return None
        key = name.upper().replace("-", "_")
        return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + key

    def text(self, value):
        return value.decode("latin-1")

    def joined(self, key, before, value):
        return before + ("; " if key == "HTTP_COOKIE" else ", ") + value
