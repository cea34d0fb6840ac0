"""The parameters of a page's address, cleaned before any view or form reads them."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, QueryDict

NULL = "\0"


class QueryMiddleware:
    """Let no view find a value in `request.GET` that a database refuses as text.

    Null characters are left out: PostgreSQL cannot compare with one, and no stored text has one. The rest of the value
    stays, so that a search still finds something. Query strings and forms are read as UTF-8, whatever charset the
    Content-Type names: another one can make lone surrogates, which no database stores, or is no charset of texts.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.encoding not in {None, "utf-8"}:
            request.encoding = "utf-8"  # Django parses the query and the form anew
        if "%00" in request.META.get("QUERY_STRING", ""):
            request.GET = QueryDict(_cleaned(request.GET), encoding="utf-8")
        return self.get_response(request)


def _cleaned(query: QueryDict) -> str:
    cleaned = QueryDict(mutable=True)
    for name, values in query.lists():
        cleaned.setlist(name.replace(NULL, ""), [value.replace(NULL, "") for value in values])
    return cleaned.urlencode()
