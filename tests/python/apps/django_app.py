"""Django in one file, as ASGI (`asgi`) and as WSGI (`wsgi`)."""

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

settings.configure(
    DEBUG=False, SECRET_KEY="for tests alone", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware",
                "django.contrib.sessions.middleware.SessionMiddleware",
                "django.middleware.common.CommonMiddleware"],
    INSTALLED_APPS=["django.contrib.sessions"],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    LOGGING={"version": 1, "disable_existing_loggers": False,
             "handlers": {"console": {"class": "logging.StreamHandler"}},
             "loggers": {"django.request": {"handlers": ["console"]}}},
    DATA_UPLOAD_MAX_MEMORY_SIZE=50_000_000)
django.setup()


def hello(request):
    return HttpResponse("hello")


async def later(request):
    return JsonResponse({"async": True})


@csrf_exempt
def upload(request):
    photo = request.FILES["photo"]
    return JsonResponse({"name": request.POST["name"], "size": photo.size})


@csrf_exempt
def echo(request):
    return HttpResponse(request.body, content_type="application/octet-stream")


def visits(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    return JsonResponse({"visits": request.session["visits"], "path": request.get_full_path(),
                         "secure": request.is_secure()})


def stream(request):
    return StreamingHttpResponse((f"{number}\n" for number in range(5)), content_type="text/plain")


def file(request):
    return FileResponse(open(__file__, "rb"), as_attachment=True)


def fails(request):
    raise ValueError("as it should")


urlpatterns = [path("", hello), path("later", later), path("upload", upload), path("echo", echo),
               path("visits", visits), path("stream", stream), path("file", file),
               path("fails", fails)]
asgi = get_asgi_application()
wsgi = get_wsgi_application()
