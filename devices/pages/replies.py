from django.http import HttpResponse


def no_store(response: HttpResponse) -> HttpResponse:
    """A reply with a secret: nothing on its way stores it, and no other address learns of its own."""
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response
