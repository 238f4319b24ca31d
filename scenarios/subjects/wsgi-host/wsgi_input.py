"""wsgi.input: reading the body of a request."""

import sys

# Seconds without a byte after which a body is given up.
BODY_TIMEOUT = 30


class Input:
    """wsgi.input: the body, read from the connection when the application asks for it."""

    def __init__(self, connection, length):
        self.connection = connection
        self.buffer = connection.buffer
        self.length = self.left = length
        self.is_cut_short = False

    def read(self, size=-1):
        limit = self.limit(size)
        if self.left is None:
            # Nobody knows what is still to come: what is there has to do.
            if limit > 0 and not self.buffer:
                self.fill()
        else:
            while len(self.buffer) < limit:
                self.fill()
        return self.take(limit)

    def readline(self, size=-1):
        limit = sys.maxsize if self.left is None and (size is None or size < 0) else self.limit(size)
        seen = 0
        while True:
            end = self.buffer.find(b"\n", seen, limit) + 1
            seen = len(self.buffer)
            if end > 0 or seen >= limit or (self.left is None and seen > 0):
                return self.take(end or limit)
            self.fill()

    def readlines(self, hint=None):
        lines, size = [], 0
        for line in self:
            lines.append(line)
            size += len(line)
            if hint is not None and 0 < hint <= size:
                break
        return lines

    def __iter__(self):
        # Asks for the end, which not every body has.
        self.limit(-1)
        return iter(self.readline, b"")

    def limit(self, size):
        """How many bytes `size` asks for."""
        if size is None or size < 0:
            if self.left is None:
                raise OSError("the length of this body is not known: read(n) gives what has arrived")
            return self.left
        return size if self.left is None else min(size, self.left)

    def take(self, size):
        taken = self.connection.take(size)
        if self.left is not None:
            self.left -= len(taken)
        return taken

    def fill(self):
        self.connection.socket.settimeout(BODY_TIMEOUT)
        if self.connection.fill():
            return
        missing = "" if self.left is None else ", %d bytes before its end" % (self.left - len(self.buffer))
        self.buffer.clear()
        self.left, self.is_cut_short = 0, True
        raise OSError("the body stops" + missing)

    def skip(self):
        """Goes to the end of the body if that is here already. False: somebody may still be sending it."""
        if self.is_cut_short or self.left is None or self.left > len(self.buffer):
            return False
        self.take(self.left)
        return True
