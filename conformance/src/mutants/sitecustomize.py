"""Python imports this when it starts. It runs what breaks the application inside its own process, and takes away its traces
first: the application finds nothing it would not find otherwise."""

import os
import sys
from importlib.machinery import SourceFileLoader


def forget():
    """Removes this folder from where modules are looked for, and the module that should have been found instead of it."""
    here = os.path.dirname(__file__)
    sys.path[:] = [folder for folder in sys.path if folder != here]
    _, was_set, left = os.environ.pop("PYTHONPATH").partition(":")
    if was_set:
        os.environ["PYTHONPATH"] = left
    del sys.modules["sitecustomize"]
    try:
        import sitecustomize
    except ImportError:
        pass
    return os.environ.pop("MUTANT")


def is_application(module):
    """Whether `module` is the file of an application, or one beside it."""
    return bool(module.__file__) and "/lib/python" not in module.__file__ and "/lib64/python" not in module.__file__


def at_import(change):
    """Has change(run, module) run every module of the application; run(module) does it as it should be done."""
    run = SourceFileLoader.exec_module

    def exec_module(self, module):
        if is_application(module):
            change(lambda module: run(self, module), module)
        else:
            run(self, module)

    SourceFileLoader.exec_module = exec_module


def around(wrap):
    """Has wrap(application) take the place of the application."""

    def change(run, module):
        run(module)
        if "application" in vars(module):
            module.application = wrap(module.application)

    at_import(change)


def environ(change):
    """Has change(environ) change the variables before the application gets them."""

    def wrap(application):
        def changed(environ, start_response):
            change(environ)
            return application(environ, start_response)

        return changed

    around(wrap)


def head(change):
    """Has change(status, headers) take the place of what the application says about its response."""

    def wrap(application):
        def changed(environ, start_response):
            def start(status, headers, *more, **named):
                return start_response(*change(status, headers), *more, **named)

            return application(environ, start)

        return changed

    around(wrap)


def body(change):
    """Has change(result) take the place of what the application returns."""
    around(lambda application: lambda environ, start_response: change(application(environ, start_response)))


def input(change):
    """Has change(stream, method, *args) read the body of a request in place of stream.method(*args)."""

    class Changed:
        def __init__(self, stream):
            self.stream = stream

        def __getattr__(self, name):
            return lambda *args: change(self.stream, name, *args)

        def __iter__(self):
            return iter(change(self.stream, "__iter__"))

    def wrap(environ):
        environ["wsgi.input"] = Changed(environ["wsgi.input"])

    globals()["environ"](wrap)


exec(forget(), {name: globals()[name] for name in ("around", "at_import", "environ", "head", "body", "input")})
