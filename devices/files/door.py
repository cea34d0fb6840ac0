"""The entry point for files: uploads by presigned forms, downloads by signed links. The signature is the permission.

HostMiddleware calls it on the hosts of the API. It reads no cookie and no token.
"""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port, validate_host
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from devices.files import errors
from devices.files.downloads import download
from devices.files.uploads import upload
from devices.storage.embedded import POST_PATH

# Our own pages upload here from another origin, and read the answer. A page opens a download as a link, without CORS.
PREFLIGHT = {"Access-Control-Allow-Methods": "POST", "Access-Control-Max-Age": "3600"}


def files(request: HttpRequest) -> HttpResponseBase:
    """Answer a request for a file. Every error has an answer in the XML of S3."""
    try:
        response: HttpResponseBase = _answer(request)
    except Exception as error:  # noqa: BLE001 - every error has an answer in XML
        response = errors.answer(request, error)
    if request.path_info == POST_PATH:
        patch_vary_headers(response, ["Origin"])
        if _is_ours(origin := request.headers.get("Origin", "")):
            response["Access-Control-Allow-Origin"] = origin
    return response


def _is_ours(origin: str) -> bool:
    """Whether the origin is one of our pages: the scheme, one of the hosts, and the port."""
    scheme, _, host = origin.partition("://")
    domain, port = split_domain_port(host)
    here = (settings.IRU_SCHEME, str(settings.IRU_PORT or ""))
    return (scheme, port) == here and validate_host(domain, settings.IRU_WEB_HOSTS)


def _answer(request: HttpRequest) -> HttpResponseBase:
    posted = request.path_info == POST_PATH
    match request.method:
        case "OPTIONS" if posted:
            return HttpResponse(status=200, headers=PREFLIGHT)
        case "POST" if posted:
            return upload(request)
        case "GET" | "HEAD" if not posted:
            return download(request)
    raise errors.FileError(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
