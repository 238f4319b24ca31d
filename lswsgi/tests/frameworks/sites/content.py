"""What both sites are made of, so that they differ only in their framework."""

import hashlib
import os
import sys
import time

DATA = bytes(range(250)) * 400
EVENTS = 4
PAGE = "Grüße aus der Straße\n"

if not os.path.exists("data"):
    with open("data", "wb") as file:
        file.write(DATA)


def events():
    """Each event but the first comes only after the test has seen the one before: it makes a file then."""
    try:
        for number in range(EVENTS):
            give_up = time.monotonic() + 20
            while number and not os.path.exists(f"seen-{number - 1}"):
                if time.monotonic() > give_up:
                    raise TimeoutError(f"event {number - 1} never got to the client")
                time.sleep(0.002)
            yield f"data: {number}\n\n"
    finally:
        print("closed at event", number, file=sys.stderr)


def digest(read):
    """Length and SHA-256 of what `read` gives, a block at a time."""
    total, hasher = 0, hashlib.sha256()
    while block := read(65536):
        total += len(block)
        hasher.update(block)
    return f"{total} {hasher.hexdigest()}"
