"""The site in Flask."""

import io
import sys

import content
import flask

app = application = flask.Flask(__name__)
app.secret_key = "of this test"


@app.get("/about")
def about():
    return {"prefix": sys.prefix, "framework": flask.__file__}


@app.get("/file")
def file():
    return flask.send_file("data", mimetype="application/x-data")


@app.get("/memory")
def memory():
    return flask.send_file(io.BytesIO(content.DATA), download_name="memory.bin")


@app.get("/events")
def events():
    return flask.Response(content.events(), mimetype="text/event-stream")


@app.get("/streamed")
def streamed():
    return flask.Response(flask.stream_with_context(content.events()), mimetype="text/plain")


@app.post("/digest")
def digest():
    return content.digest(flask.request.stream.read)


@app.post("/form")
def form():
    files = {
        field: [file.filename, file.content_type, content.digest(file.read)]
        for field, file in flask.request.files.items()
    }
    return {"form": flask.request.form.to_dict(flat=False), "query": flask.request.args, "files": files}


@app.get("/greet/<name>")
def greet(name):
    return f"Hello, {name}!"


@app.get("/enter")
def enter():
    flask.session["user"] = "Zoë"
    response = flask.redirect("/inside")
    response.set_cookie("theme", "dark", max_age=3600)
    return response


@app.get("/inside")
def inside():
    return {"user": flask.session.get("user"), "cookies": sorted(flask.request.cookies)}


@app.get("/page")
def page():
    response = flask.Response(content.PAGE, mimetype="text/plain")
    response.set_etag("page-1")
    response.last_modified = 1_700_000_000
    return response.make_conditional(flask.request)


@app.get("/fail")
def fail():
    raise RuntimeError("on purpose")
