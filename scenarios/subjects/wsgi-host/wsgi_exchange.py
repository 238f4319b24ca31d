"""One request and its response: start_response(), the iterable, and what of them goes to the server."""

import os
import re
import sys

import lsapi

# What HTTP takes as a name; what it does not take in values and reasons; a status of a final response.
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
STATUS = re.compile(r"[2-9][0-9][0-9] [^\x00-\x08\x0a-\x1f\x7f]*")

# Headers that are about the connection between the server and its client.
HOP_BY_HOP = (
    "connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer trailers "
    "transfer-encoding upgrade"
).split()

# Where this program is. Lines of tracebacks from elsewhere are the application's.
FOLDER = os.path.dirname(__file__)


def log(text):
    print("wsgi-host: " + text, file=sys.stderr, flush=True)


class Refused(Exception):
    """What the application gave cannot be sent."""


class Exchange:
    """One request, and what the application makes of it."""

    def __init__(self, connection, environ):
        self.connection = connection
        self.environ = environ
        # Kept from here on: what is in environ later is the application's affair.
        self.body = environ["wsgi.input"]
        self.is_head = environ["REQUEST_METHOD"] == "HEAD"
        self.name = environ["REQUEST_METHOD"] + " " + environ["SCRIPT_NAME"] + environ["PATH_INFO"]
        # What start_response() was given last, and whether that has been sent.
        self.status = None
        self.headers = []
        self.declared = None
        self.is_begun = False
        # The length of the whole body where that is plain to see, and what has been sent of it.
        self.length = None
        self.sent = 0
        self.has_surplus = False

    def run(self, application):
        result = None
        try:
            result = self.call(application)
            self.iterate(self.checked_result(result))
            self.end()
        except lsapi.Gone:
            self.leave()
        except BaseException as error:
            self.fail(error)
        finally:
            self.close(result)

    def call(self, application):
        return application(self.environ, self.start_response)

    # -- what the application says

    def start_response(self, status, response_headers, exc_info=None):
        if exc_info is not None:
            try:
                self.restart(exc_info)
            finally:
                exc_info = None
        elif self.status is not None:
            self.refuse_second_start()
        self.declared = None
        checked = self.checked_status(status), self.checked_headers(response_headers)
        self.status, self.headers = checked
        return self.write

    def restart(self, exc_info):
        """start_response() with exc_info: another response, unless there is no way back."""
        if self.is_begun:
            raise exc_info[1].with_traceback(exc_info[2])

    def refuse_second_start(self):
        raise Refused("start_response() was called a second time, without exc_info")

    def checked_status(self, status):
        if not isinstance(status, str) or not self.is_status(status):
            raise Refused("the status is not a text such as '404 Not Found'")
        return int(status[:3])

    def is_status(self, status):
        return STATUS.fullmatch(status) is not None and max(status) <= "\xff"

    def checked_headers(self, headers):
        if type(headers) is not list:
            raise Refused("the headers are not a list")
        lines = [self.checked_header(header) for header in headers]
        if len(lines) > lsapi.MOST_LINES:
            raise Refused("%d headers are more than the %d that can be sent" % (len(lines), lsapi.MOST_LINES))
        if len(lsapi.head(200, lines)) > lsapi.MOST_HEAD:
            raise Refused("all headers together are longer than the server takes")
        return lines

    def checked_header(self, header):
        is_pair = isinstance(header, tuple) and len(header) == 2
        if not is_pair or not all(isinstance(text, str) for text in header):
            raise Refused("a header is not a tuple of two texts")
        name, value = header
        if not self.is_name(name):
            raise Refused("HTTP knows no header name %r" % name)
        if self.is_hop_by_hop(name.lower()):
            raise Refused("header %s is about a connection, which is the server's" % name)
        if not self.is_value(value):
            raise Refused("the value of header %s has control characters in it" % name)
        if name.lower() == "content-length":
            self.declare(value)
        line = self.encoded(name, value)
        if len(line) > lsapi.MOST_LINE:
            raise Refused("header %s is longer than the %d bytes that can be sent" % (name, lsapi.MOST_LINE))
        return line

    def is_name(self, name):
        return TOKEN.fullmatch(name) is not None

    def is_value(self, value):
        return CONTROL.search(value) is None

    def is_hop_by_hop(self, name):
        return name in HOP_BY_HOP

    def encoded(self, name, value):
        try:
            return ("%s: %s" % (name, value)).encode("latin-1")
        except UnicodeEncodeError:
            raise Refused("the value of header %s is not latin-1" % name) from None

    def declare(self, value):
        is_length = value.isascii() and value.isdigit() and int(value) < 1 << 63
        if not is_length or self.declared is not None:
            raise Refused("Content-Length is not one number of bytes")
        self.declared = int(value)

    def write(self, chunk):
        """The callable that start_response() returns; chunks of the iterable go the same way."""
        chunk = self.checked_chunk(chunk)
        if not chunk:
            # Not even the headers: the application may still change its mind about them.
            self.pass_over_nothing()
            return
        self.send_chunk(chunk)

    def checked_chunk(self, chunk):
        if not isinstance(chunk, bytes):
            raise Refused("the body is not bytes: there is %s in it" % type(chunk).__name__)
        return chunk

    def pass_over_nothing(self):
        pass

    def checked_result(self, result):
        if result is None or isinstance(result, (bytes, str)):
            raise Refused("the application returned %s, not an iterable of bytes" % type(result).__name__)
        return result

    def iterate(self, result):
        if isinstance(result, (list, tuple)):
            self.length = self.sent + sum(len(chunk) for chunk in result if isinstance(chunk, bytes))
        for chunk in result:
            self.write(chunk)
            if self.is_over():
                break
        if self.status is None:
            self.end_without_start()

    def end_without_start(self):
        raise Refused("the application did not call start_response()")

    # -- what goes to the server

    def send_chunk(self, chunk):
        if self.status is None:
            self.end_without_start()
        data = self.pending_head()
        chunk = self.within_declared(chunk) if self.has_body() else b""
        # At once: an application that streams waits for nobody.
        starts = range(0, len(chunk), lsapi.MOST_STREAM)
        data += b"".join(lsapi.packet(lsapi.RESP_STREAM, chunk[start : start + lsapi.MOST_STREAM]) for start in starts)
        if data:
            self.connection.send(data)
        self.sent += len(chunk)

    def within_declared(self, chunk):
        """What Content-Length leaves of `chunk`."""
        if self.declared is None or self.sent + len(chunk) <= self.declared:
            return chunk
        if not self.has_surplus:
            log("%s: the body is longer than its Content-Length of %d: cut" % (self.name, self.declared))
        self.has_surplus = True
        return chunk[: self.declared - self.sent]

    def has_body(self):
        return not self.is_head and self.status not in (204, 304)

    def is_over(self):
        return self.has_surplus or (self.is_begun and not self.has_body())

    def pending_head(self):
        """The head, if it has not been sent yet."""
        if self.is_begun:
            return b""
        self.is_begun = True
        lines = list(self.headers)
        # What HEAD asks for is the length GET would have had; an application that made no body for it does not say.
        is_known = self.length or (self.length == 0 and self.has_body())
        if is_known and self.declared is None and self.status not in (204, 304):
            self.add_length(lines)
        if not lines:
            # Without one line the server looks for headers in the body.
            lines.append(b"Content-Type: text/plain")
        return lsapi.packet(lsapi.RESP_HEADER, lsapi.head(self.status, lines))

    def add_length(self, lines):
        line = b"Content-Length: %d" % self.length
        if len(lines) < lsapi.MOST_LINES and len(lsapi.head(200, lines + [line])) <= lsapi.MOST_HEAD:
            lines.append(line)

    def end(self):
        """Ends the response. Every request has to come to this: without RESP_END the server sends it again."""
        data = self.pending_head()
        if not self.body.skip():
            # In front of RESP_END, so that the server sends nothing behind it.
            data += lsapi.packet(lsapi.CONN_CLOSE)
        self.connection.send(data + lsapi.packet(lsapi.RESP_END))

    def fail(self, error):
        """Answers for an application that cannot."""
        log("%s: %s" % (self.name, error if isinstance(error, Refused) else "the application raised an exception"))
        if not isinstance(error, Refused) or is_of_application(error.__traceback__):
            sys.excepthook(type(error), error, error.__traceback__)
        try:
            if not self.is_begun:
                page = b"500 Internal Server Error\n"
                self.status, self.headers, self.declared = 500, [b"Content-Type: text/plain"], None
                self.length = len(page)
                self.send_chunk(page)
            self.end()
        except lsapi.Gone:
            pass

    def leave(self):
        """The client has left: nobody is there to answer to."""
        log("%s: the client has left after %d bytes" % (self.name, self.sent))

    def close(self, result):
        close = getattr(result, "close", None)
        if close is not None:
            try:
                close()
            except BaseException as error:
                log("%s: close() raised an exception" % self.name)
                sys.excepthook(type(error), error, error.__traceback__)


def is_of_application(traceback):
    """Whether any line of `traceback` is outside of this program."""
    while traceback is not None and os.path.dirname(traceback.tb_frame.f_code.co_filename) == FOLDER:
        traceback = traceback.tb_next
    return traceback is not None
