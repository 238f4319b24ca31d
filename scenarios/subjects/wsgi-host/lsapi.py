"""LSAPI, between the LiteSpeed web server and an application: packets, the connection, the request.

What the request means to a program is left to others."""

import os
import socket
import struct
import sys
import time

# Both sides send packets. Each begins with 8 bytes: "LS", its type, a flag, and its length with these 8 bytes.

BEGIN_REQUEST, ABORT_REQUEST, RESP_HEADER, RESP_STREAM, RESP_END, STDERR_STREAM, REQ_RECEIVED, CONN_CLOSE = range(1, 9)

# The flag says in which order the bytes of the packet's integers are: on x86 0 is the machine's own order, elsewhere 1.
OWN_FLAG = 0 if os.uname().machine in ("x86_64", "i686", "i386") else 1
OTHER_ORDER = ">" if sys.byteorder == "little" else "<"

# Most bytes that the server takes behind the 8 of a RESP_STREAM, and behind those of a RESP_HEADER. Longer requests
# than this are none.
MOST_STREAM = 16384
MOST_HEAD = 65535
MOST_REQUEST = 262144

# It hangs on header lines that are much longer, and the reference library has room for no more of them.
MOST_LINE = 16000
MOST_LINES = 1000

# How long, and how much of, a body nobody has read is taken before the connection is closed.
DISCARD_SECONDS = 2
DISCARD_BYTES = 1 << 20

# Headers that come by number and not by name.
KNOWN_HEADERS = (
    "Accept Accept-Charset Accept-Encoding Accept-Language Authorization Connection Content-Type Content-Length Cookie "
    "Cookie2 Host Pragma Referer User-Agent Cache-Control If-Modified-Since If-Match If-None-Match If-Range "
    "If-Unmodified-Since Keep-Alive Range X-Forwarded-For Via Transfer-Encoding"
).split()


def packet(kind, payload=b""):
    return struct.pack("=2sBBi", b"LS", kind, OWN_FLAG, 8 + len(payload)) + payload


def head(status, lines):
    """What is in RESP_HEADER: how many lines, the status, the length of each line with its NUL, the lines."""
    lines = [line + b"\0" for line in lines]
    lengths = struct.pack("=ii%dh" % len(lines), len(lines), status, *map(len, lines))
    return lengths + b"".join(lines)


class BadPacket(Exception):
    """What the server sent is no request. Nothing that follows can be trusted."""


class Gone(OSError):
    """The server does not take the response any more: the client has left."""


class Connection:
    """Bytes from and to the server."""

    def __init__(self, connected):
        self.socket = connected
        self.buffer = bytearray()

    def fill(self):
        """Waits for more bytes. False: there will be none."""
        try:
            more = self.socket.recv(65536)
        except ConnectionError:
            more = b""
        self.buffer += more
        return bool(more)

    def take(self, length):
        taken = bytes(self.buffer[:length])
        del self.buffer[:length]
        return taken

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Gone("the server takes no more: %s" % error) from None

    def next_request(self):
        """The next request, or None when the server has closed the connection."""
        while len(self.buffer) < 8:
            if not self.fill():
                return None
        magic, kind, flag = struct.unpack_from("2sBB", self.buffer)
        order = "=" if flag & 1 == OWN_FLAG else OTHER_ORDER
        (length,) = struct.unpack_from(order + "i", self.buffer, 4)
        if magic != b"LS" or kind != BEGIN_REQUEST or not 44 <= length <= MOST_REQUEST:
            raise BadPacket("this is not the beginning of a request")
        while len(self.buffer) < length:
            if not self.fill():
                return None
        try:
            request = Request(self.take(length), order)
        except (struct.error, ValueError) as error:
            raise BadPacket(str(error)) from None
        # Acknowledged before anything else: until then the server may send the request to somebody else as well.
        self.send(packet(REQ_RECEIVED))
        return request

    def close_in_order(self):
        """Ends a connection on which a body may still be coming: a reset would take the response with it."""
        deadline, most = time.monotonic() + DISCARD_SECONDS, DISCARD_BYTES
        try:
            self.socket.shutdown(socket.SHUT_WR)
            while most > 0 and time.monotonic() < deadline:
                self.socket.settimeout(max(0.01, deadline - time.monotonic()))
                discarded = len(self.socket.recv(65536))
                most = most - discarded if discarded else 0
        except OSError:
            pass


class Request:
    """What a BEGIN_REQUEST packet says: a head of nine integers, two lists of variables, the headers.

    The head has offsets of four variables as well, for programs in C; here they are found by their names."""

    def __init__(self, data, order):
        self.data = data
        numbers = struct.unpack_from(order + "9i", data, 8)
        block_length, self.body_length, _, _, _, _, unknown, variables, special = numbers
        # Special variables are settings for PHP. Their list comes first.
        _, at = self.variables_at(44, special)
        self.variables, at = self.variables_at(at, variables)
        # The index of the headers begins at a multiple of 8: 25 lengths, 2 bytes of nothing, 25 offsets.
        at += -at % 8
        lengths = struct.unpack_from(order + "25H", data, at)
        offsets = struct.unpack_from(order + "25i", data, at + 52)
        at += 152
        slots = struct.unpack_from(order + "%di" % (4 * unknown), data, at) if unknown >= 0 else ()
        self.block = data[at + 16 * unknown :]
        if unknown < 0 or block_length != len(self.block):
            raise ValueError("the parts of the packet are longer or shorter than it is")
        # Offset 0 is a header that is not there.
        known = zip(KNOWN_HEADERS, offsets, lengths)
        self.headers = [(name, self.slice(offset, length)) for name, offset, length in known if offset != 0]
        for slot in range(0, len(slots), 4):
            name, name_length, value, value_length = slots[slot : slot + 4]
            self.headers.append((self.slice(name, name_length).decode("latin-1"), self.slice(value, value_length)))

    def variables_at(self, at, count):
        """The list of `count` variables at byte `at`, and where it ends."""
        if not 0 <= count <= 8192:
            raise ValueError("so many variables cannot be")
        variables = []
        for _ in range(count):
            # Whatever the flag says, these are big-endian; both texts end with a NUL that counts.
            key_length, value_length = struct.unpack_from(">HH", self.data, at)
            key, value = at + 4, at + 4 + key_length
            at = value + value_length
            if key_length == 0 or value_length == 0 or at > len(self.data):
                raise ValueError("a variable is malformed")
            variables.append((self.data[key : value - 1].decode("latin-1"), self.data[value : at - 1]))
        if self.data[at : at + 4] != bytes(4):
            raise ValueError("a list of variables has no end")
        return variables, at + 4

    def slice(self, offset, length):
        if offset < 0 or length < 0 or offset + length > len(self.block):
            raise ValueError("a header is outside of the packet")
        return self.block[offset : offset + length]

    def length_of_body(self):
        """Bytes of the body behind the packet. None: the server does not know, and will not say where it ends."""
        if self.body_length == -1:
            return None
        if self.body_length != -2:
            return max(0, self.body_length)
        # 2 GB and more do not fit into the packet.
        declared = dict(self.headers).get("Content-Length", b"")
        return int(declared) if declared.isdigit() else 0
