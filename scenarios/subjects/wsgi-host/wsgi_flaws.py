"""What WSGI hosts were seen to do wrong, each a small change of one class of this program.

The name of a flaw is the last part of the ID of the scenario that notices it."""

import json
import os
import re
import sys

from wsgi_environ import FileWrapper, Variables
from wsgi_exchange import Exchange, Refused
from wsgi_input import Input

FLAWS = {}


def flaw(name, meaning):
    """A class below this is `meaning`, in place of the class it is derived from."""

    def keep(changed):
        FLAWS[name] = (meaning, changed)
        return changed

    return keep


def put_in(name):
    """Makes the program have the flaw `name`."""
    if name not in FLAWS:
        sys.exit("there is no flaw %r. These there are:\n%s" % (name, listing()))
    _, changed = FLAWS[name]
    right = changed.__mro__[1]
    setattr(sys.modules[right.__module__], right.__name__, changed)


def listing():
    width = max(map(len, FLAWS))
    return "\n".join("%-*s  %s" % (width, name, meaning) for name, (meaning, _) in FLAWS.items())


def listing_as_json():
    """The same for programs, each flaw with the scenarios that notice it."""
    flaws = [
        {"name": name, "meaning": meaning, "caught_by": ["wsgi/" + name]} for name, (meaning, _) in FLAWS.items()
    ]
    return json.dumps(flaws, indent=1)


# --- start_response() and write() -----------------------------------------------------------------------------------


@flaw("write", "start_response() returns no write()")
class _(Exchange):
    def start_response(self, status, response_headers, exc_info=None):
        super().start_response(status, response_headers, exc_info)


@flaw("exc-info-before-output", "headers of the first start_response() stay when another one replaces it")
class _(Exchange):
    def start_response(self, status, response_headers, exc_info=None):
        before = self.headers
        write = super().start_response(status, response_headers, exc_info)
        self.headers = before + self.headers
        return write


@flaw("exc-info-after-output", "start_response() with exc_info is ignored when the response has begun")
class _(Exchange):
    def restart(self, exc_info):
        pass


@flaw("exc-info-after-empty-chunk", "an empty chunk sends the headers")
class _(Exchange):
    def pass_over_nothing(self):
        self.send_chunk(b"")


@flaw("second-start-response", "a second start_response() without exc_info replaces the first")
class _(Exchange):
    def refuse_second_start(self):
        pass


@flaw("start-response-at-first-next", "the status is 200 if start_response() comes with the first chunk only")
class _(Exchange):
    is_called = False

    def checked_result(self, result):
        self.is_called = True
        return super().checked_result(result)

    def checked_status(self, status):
        checked = super().checked_status(status)
        return 200 if self.is_called and self.status is None else checked


@flaw("no-start-response", "a response without start_response() is a 200")
class _(Exchange):
    def end_without_start(self):
        self.status = 200


# --- close() --------------------------------------------------------------------------------------------------------


@flaw("close-at-end", "close() is not called at the end")
class _(Exchange):
    has_ended = False

    def end(self):
        super().end()
        self.has_ended = True

    def fail(self, error):
        super().fail(error)
        self.has_ended = False

    def close(self, result):
        if not self.has_ended or not self.has_body():
            super().close(result)


@flaw("close-after-exception", "close() is not called after an exception in the middle of the body")
class _(Exchange):
    has_failed = False

    def fail(self, error):
        self.has_failed = self.is_begun
        super().fail(error)

    def close(self, result):
        if not self.has_failed:
            super().close(result)


@flaw("close-when-client-leaves", "close() is not called when the client has left")
class _(Exchange):
    has_left = False

    def leave(self):
        super().leave()
        self.has_left = True

    def close(self, result):
        if not self.has_left:
            super().close(result)


@flaw("close-for-head", "close() is not called for HEAD")
class _(Exchange):
    def close(self, result):
        if not self.is_head:
            super().close(result)


# --- status and headers ---------------------------------------------------------------------------------------------


def has_line_break(text):
    return "\r" in text or "\n" in text


@flaw("line-break-in-header-value", "the value of a header may have line breaks")
class _(Exchange):
    def is_value(self, value):
        return has_line_break(value) or super().is_value(value)


@flaw("line-break-in-header-name", "the name of a header may have line breaks")
class _(Exchange):
    def is_name(self, name):
        return has_line_break(name) or super().is_name(name)


@flaw("line-break-in-status", "the status may have line breaks")
class _(Exchange):
    def is_status(self, status):
        return super().is_status(re.sub("[\r\n]", " ", status))


@flaw("nul-in-header-value", "the value of a header may have a NUL")
class _(Exchange):
    def is_value(self, value):
        return "\0" in value or super().is_value(value)


@flaw("header-beyond-latin-1", "characters that a header cannot have become question marks")
class _(Exchange):
    def encoded(self, name, value):
        return ("%s: %s" % (name, value)).encode("latin-1", "replace")


@flaw("latin-1-header", "headers leave in UTF-8")
class _(Exchange):
    def encoded(self, name, value):
        super().encoded(name, value)
        return ("%s: %s" % (name, value)).encode("utf-8")


@flaw("hop-by-hop-header", "headers about the connection are passed on")
class _(Exchange):
    def is_hop_by_hop(self, name):
        return name == "transfer-encoding"


@flaw("transfer-encoding-header", "Transfer-Encoding is passed on")
class _(Exchange):
    def is_hop_by_hop(self, name):
        return name != "transfer-encoding" and super().is_hop_by_hop(name)


@flaw("headers-not-a-list", "the headers may be any iterable")
class _(Exchange):
    def checked_headers(self, headers):
        return super().checked_headers(list(headers))


@flaw("malformed-status", "any text is taken for a status, and what has no number is a 200")
class _(Exchange):
    def checked_status(self, status):
        if isinstance(status, str) and re.fullmatch("[ -~]*", status):
            code = re.match("[2-9][0-9][0-9](?![0-9])", status)
            return int(code.group()) if code else 200
        return super().checked_status(status)


@flaw("content-length-of-one-chunk", "no Content-Length is added")
class _(Exchange):
    def add_length(self, lines):
        pass


# --- the body -------------------------------------------------------------------------------------------------------


@flaw("content-length-exceeded-by-list", "a list is sent whole, whatever its Content-Length")
class _(Exchange):
    def within_declared(self, chunk):
        return chunk if self.length is not None else super().within_declared(chunk)


@flaw("content-length-exceeded-by-iterator", "an iterator is sent whole, whatever its Content-Length")
class _(Exchange):
    def within_declared(self, chunk):
        return chunk if self.length is None else super().within_declared(chunk)


@flaw("head-without-body", "the answer to HEAD has a body")
class _(Exchange):
    def has_body(self):
        return self.status not in (204, 304)


@flaw("204-without-body", "a 204 has a body")
class _(Exchange):
    def has_body(self):
        return self.status == 204 or super().has_body()


@flaw("304-without-body", "a 304 has a body")
class _(Exchange):
    def has_body(self):
        return self.status == 304 or super().has_body()


@flaw("str-chunk", "text in the body is sent as UTF-8")
class _(Exchange):
    def checked_chunk(self, chunk):
        return super().checked_chunk(chunk.encode() if isinstance(chunk, str) else chunk)


@flaw("bare-bytes", "bytes in place of an iterable are an empty body")
class _(Exchange):
    def checked_result(self, result):
        return super().checked_result([] if isinstance(result, bytes) else result)


@flaw("application-returns-none", "nothing in place of an iterable is an empty body")
class _(Exchange):
    def checked_result(self, result):
        return super().checked_result([] if result is None else result)


# --- exceptions -----------------------------------------------------------------------------------------------------


@flaw("application-raises", "an application that raises is an empty 200")
class _(Exchange):
    def call(self, application):
        try:
            return super().call(application)
        except Refused:
            raise
        except Exception:
            self.status = 200
            return []


@flaw("exception-at-first-chunk", "an exception instead of the first chunk is an empty body")
class _(Exchange):
    def fail(self, error):
        is_first = isinstance(error, Exception) and self.status is not None and not self.is_begun
        if is_first and self.is_called and not isinstance(error, Refused):
            self.end()
        else:
            super().fail(error)

    is_called = False

    def checked_result(self, result):
        self.is_called = True
        return super().checked_result(result)


@flaw("system-exit", "SystemExit ends the process before there is an answer")
class _(Exchange):
    def fail(self, error):
        if isinstance(error, SystemExit):
            os._exit(0)
        super().fail(error)


@flaw("keyboard-interrupt", "KeyboardInterrupt ends the process before there is an answer")
class _(Exchange):
    def fail(self, error):
        if isinstance(error, KeyboardInterrupt):
            os._exit(0)
        super().fail(error)


# --- wsgi.file_wrapper ----------------------------------------------------------------------------------------------


@flaw("file-wrapper-file", "a file is sent from its beginning, wherever it stands")
class _(FileWrapper):
    def __iter__(self):
        if hasattr(self.file, "name"):
            self.file.seek(0)
        return super().__iter__()


@flaw("file-wrapper-bytesio", "only files of the system are taken")
class _(FileWrapper):
    def __iter__(self):
        self.file.fileno()
        return super().__iter__()


# --- wsgi.input -----------------------------------------------------------------------------------------------------


@flaw("input-read-then-rest", "read() after read(n) forgets what had arrived before")
class _(Input):
    def read(self, size=-1):
        if (size is None or size < 0) and self.left != self.length:
            super().read()
            return b""
        return super().read(size)


@flaw("input-read-0", "read(0) reads everything")
class _(Input):
    def read(self, size=-1):
        return super().read(-1 if size == 0 else size)


@flaw("input-read-minus-1", "read() takes no negative number")
class _(Input):
    def read(self, size=None):
        if size is not None and size < 0:
            raise OverflowError("can't convert negative int to unsigned")
        return super().read(size)


@flaw("input-readline", "readline() loses the end of the line")
class _(Input):
    def readline(self, size=-1):
        line = super().readline(size)
        return line.rstrip(b"\n") if size is None or size < 0 else line

    def __iter__(self):
        return iter(super().readline, b"")


@flaw("input-readline-size", "readline() pays no heed to its size")
class _(Input):
    def readline(self, size=-1):
        return super().readline()


@flaw("input-readlines", "readlines() gives everything in one piece")
class _(Input):
    def readlines(self, hint=None):
        everything = self.read()
        return [everything] if everything else []


@flaw("input-iteration", "iteration ends after the first line")
class _(Input):
    def __iter__(self):
        line = self.readline()
        return iter([line] if line else [])

    def readlines(self, hint=None):
        return list(iter(self.readline, b""))


@flaw("input-no-body", "reading fails where there is no body")
class _(Input):
    def read(self, size=-1):
        if self.length == 0:
            raise OSError("timed out")
        return super().read(size)


# --- environ --------------------------------------------------------------------------------------------------------


@flaw("repeated-header", "the last of several headers of one name is the only one")
class _(Variables):
    def joined(self, key, before, value):
        return super().joined(key, before, value) if key == "HTTP_COOKIE" else value


@flaw("repeated-cookie", "several Cookie headers are joined with a comma")
class _(Variables):
    def joined(self, key, before, value):
        return before + ", " + value


@flaw("underscore-header", "X_Name and X-Name are one header")
class _(Variables):
    def key(self, name):
        return super().key(name.replace("_", "-"))


@flaw("latin-1-request-header", "a header with bytes beyond ASCII is empty")
class _(Variables):
    def text(self, value):
        return super().text(value) if value.isascii() else ""


@flaw("process-environment-stays-out", "the environment of the process is part of environ")
class _(Variables):
    def first(self):
        return dict(os.environ)
