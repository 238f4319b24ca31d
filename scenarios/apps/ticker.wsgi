"""Role ticker: a thread started with the application counts every 20 ms; each request gets the count, in decimal.

Only applications whose language has threads can play it.
"""

import itertools
import threading
import time

ticks = 0


def count():
    global ticks
    for ticks in itertools.count():
        time.sleep(0.02)


threading.Thread(target=count, daemon=True).start()


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(ticks).encode("ascii")]
