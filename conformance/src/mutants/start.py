"""Becomes an application, after something about its start has been changed: start.py CHANGES PROGRAM ARG...

CHANGES is JSON; what may be in it is told where it is made. Without changes nothing is different for the application, but
for what no process can hide: this program was there before it."""

import json
import os
import signal
import sys


def environment():
    """The variables as they were given: Python adds one of its own where there is no locale."""
    with open("/proc/self/environ", "rb") as file:
        lines = file.read().split(b"\0")
    return [tuple(line.split(b"=", 1)) for line in lines if b"=" in line]


def without_options(words, names):
    """`words` without the options `names` and their values, written behind them or with an equals sign."""
    left = []
    words = iter(words)
    for word in words:
        if word in names:
            next(words, None)
        elif word.split("=")[0] not in names:
            left.append(word)
    return left


def main(changes, words):
    changes = json.loads(changes)
    removed = [name.encode() for name in changes["without_env"]]
    env = [(name, value) for name, value in environment() if name not in removed]
    env = dict(env + [(name.encode(), value.encode()) for name, value in changes["env"].items()])
    words = without_options(words, changes["without_options"]) + changes["args"]
    if changes["inside"]:
        # Python imports `sitecustomize`, which is beside this file, and that runs it and takes away its traces.
        env[b"MUTANT"] = changes["inside"].encode()
        here = os.path.dirname(os.path.abspath(__file__)).encode()
        # An empty part would be the current folder.
        env[b"PYTHONPATH"] = b":".join(filter(None, [here, env.get(b"PYTHONPATH")]))
    names = {"env": env, "words": words}
    exec(changes["before"], names)
    # These two Python has changed for itself.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    os.execve(names["words"][0], names["words"], env)


main(sys.argv[1], sys.argv[2:])
