"""A WSGI host for the LiteSpeed web server in plain Python: LSAPI and PEP 3333 to read.

    wsgi-host [--flaw NAME] APP.py     serves `application` of APP.py on descriptor 0
    wsgi-host --list-flaws [--json]    tells what NAME may be

Descriptor 0 is a connection to the web server, or a socket on which it makes connections. One request is answered after
the other. A flaw is one thing done wrong, as servers were seen to do it: with it a test suite shows that it notices.

lsapi.py is the protocol, the other files are WSGI. Begin with serve() below.
"""

import os
import socket
import sys

import lsapi
import wsgi_environ
import wsgi_exchange
import wsgi_input


def serve(connected, application):
    """Answers the requests of a connection until it ends."""
    connection = lsapi.Connection(connected)
    try:
        while True:
            connected.settimeout(None)
            request = connection.next_request()
            if request is None:
                return
            body = wsgi_input.Input(connection, request.length_of_body())
            environ = wsgi_environ.Variables().make(request, body)
            wsgi_exchange.Exchange(connection, environ).run(application)
            if not body.skip():
                connection.close_in_order()
                return
    except lsapi.Gone:
        pass
    except lsapi.BadPacket as error:
        wsgi_exchange.log("closing a connection: %s" % error)
    finally:
        connected.close()


def load(path):
    """The `application` of the file `path`, run as a module of its own in its own folder."""
    path = os.path.abspath(path)
    os.chdir(os.path.dirname(path))
    # In place of the folder of this program, whose modules are none of the application's business.
    sys.path[0] = os.path.dirname(path)
    module = sys.modules["app"] = type(sys)("app")
    module.__file__ = path
    with open(path, "rb") as file:
        exec(compile(file.read(), path, "exec"), module.__dict__)
    return module.application


def set_up_log():
    """Everything printed goes to standard error, whatever characters it has; standard output is of no use here."""
    sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    sys.stdout = sys.stderr
    os.dup2(2, 1)


def take_descriptor_0():
    """The socket that the server gave, which the application shall not take for its standard input."""
    given = socket.socket(fileno=os.dup(0))
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    return given


def is_connected(given):
    """Whether `given` has another end. If not, connections are made to it."""
    try:
        given.getpeername()
    except OSError:
        return False
    return True


def main(words):
    if words[:1] in (["--flaw"], ["--list-flaws"]):
        import wsgi_flaws

        if words == ["--list-flaws"]:
            print(wsgi_flaws.listing())
            return
        if words == ["--list-flaws", "--json"]:
            print(wsgi_flaws.listing_as_json())
            return
        if len(words) > 1 and words[0] == "--flaw":
            wsgi_flaws.put_in(words[1])
            words = words[2:]
    if len(words) != 1 or words[0].startswith("-"):
        sys.exit(__doc__.strip())
    # What the server tells the host is not for the application.
    for name in [name for name in os.environ if name.startswith("LSAPI_")]:
        del os.environ[name]
    set_up_log()
    given = take_descriptor_0()
    application = load(words[0])
    if is_connected(given):
        serve(given, application)
        return
    given.setblocking(True)
    while True:
        serve(given.accept()[0], application)


if __name__ == "__main__":
    main(sys.argv[1:])
