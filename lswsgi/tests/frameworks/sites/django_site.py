"""The site in Django."""

import datetime
import io
import sys

import content
import django
from django.conf import settings
from django.core.signals import request_finished
from django.core.wsgi import get_wsgi_application
from django.dispatch import receiver
from django.http import FileResponse, HttpResponse, HttpResponseRedirect, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.http import condition

settings.configure(
    ALLOWED_HOSTS=["*"],
    DEBUG=False,
    LOGGING={
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"log": {"class": "logging.StreamHandler"}},
        "root": {"handlers": ["log"], "level": "ERROR"},
    },
    MIDDLEWARE=[
        "django.middleware.common.CommonMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
    ],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of this test",
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    USE_TZ=True,
)

finished = 0


@receiver(request_finished)
def count(**kwargs):
    global finished
    finished += 1


def about(request):
    return JsonResponse({"prefix": sys.prefix, "framework": django.__file__})


def ranged(request, file):
    """A FileResponse of all of `file`, or of the part the client wants: Django leaves ranges to applications."""
    wanted = request.headers.get("Range", "").removeprefix("bytes=")
    if not wanted:
        return FileResponse(file, content_type="application/x-data")
    size = len(content.DATA)
    start, end = (int(place) for place in wanted.split("-"))
    if start >= size:
        file.close()
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    file.seek(start)
    response = FileResponse(file, status=206, content_type="application/x-data")
    response["Content-Length"] = end + 1 - start
    response["Content-Range"] = f"bytes {start}-{end}/{size}"
    return response


def file(request):
    return ranged(request, open("data", "rb"))


def memory(request):
    return ranged(request, io.BytesIO(content.DATA))


def events(request):
    return StreamingHttpResponse(content.events(), content_type="text/event-stream")


def streamed(request):
    return StreamingHttpResponse(content.events(), content_type="text/plain")


def digest(request):
    return HttpResponse(content.digest(request.read), content_type="text/plain")


def form(request):
    files = {
        field: [file.name, file.content_type, content.digest(file.read)] for field, file in request.FILES.items()
    }
    return JsonResponse({"form": dict(request.POST.lists()), "query": request.GET.dict(), "files": files})


def greet(request, name):
    return HttpResponse(f"Hello, {name}!")


def enter(request):
    request.session["user"] = "Zoë"
    response = HttpResponseRedirect("/inside")
    response.set_cookie("theme", "dark", max_age=3600)
    return response


def inside(request):
    return JsonResponse({"user": request.session.get("user"), "cookies": sorted(request.COOKIES)})


def modified(request):
    return datetime.datetime.fromtimestamp(1_700_000_000, datetime.timezone.utc)


@condition(etag_func=lambda request: '"page-1"', last_modified_func=modified)
def page(request):
    return HttpResponse(content.PAGE, content_type="text/plain; charset=utf-8")


def fail(request):
    raise RuntimeError("on purpose")


def closed(request):
    """How many responses have been closed: Django learns of it from `close()` of what the server was given."""
    return HttpResponse(str(finished))


urlpatterns = [path("greet/<name>", greet)]
urlpatterns += [
    path(view.__name__, view)
    for view in (about, file, memory, events, streamed, digest, form, enter, inside, page, fail, closed)
]
application = get_wsgi_application()
