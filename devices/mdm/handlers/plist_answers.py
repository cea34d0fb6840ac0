from django.http import HttpResponse


def plist_answer(body: bytes) -> HttpResponse:
    """An answer that is a property list, or empty."""
    return HttpResponse(body, content_type="application/xml") if body else HttpResponse(content_type="text/plain")
