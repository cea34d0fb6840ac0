"""Files: uploads by presigned forms, and downloads by signed links. The signature is the permission.

HostMiddleware calls it on the hosts of the API. It reads no cookie and no token, so that any page may call it.
"""

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from devices.files import errors
from devices.files.downloads import download
from devices.files.uploads import upload
from devices.storage.embedded import POST_PATH

# Pages of other origins upload and download too, and read what S3 would let them read.
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, Location",
}
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Max-Age": "3600",
}


def files(request: HttpRequest) -> HttpResponseBase:
    """Answer a request for a file. Every error is answered in the XML of S3."""
    try:
        response: HttpResponseBase = _answer(request)
    except Exception as error:  # noqa: BLE001 - every error is answered in XML
        response = errors.answer(request, error)
    for name, value in CORS.items():
        response[name] = value
    return response


def _answer(request: HttpRequest) -> HttpResponseBase:
    posted = request.path_info == POST_PATH
    match request.method:
        case "OPTIONS":
            return HttpResponse(status=200, headers=PREFLIGHT)
        case "POST" if posted:
            return upload(request)
        case "GET" | "HEAD" if not posted:
            return download(request)
    raise errors.FileError(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
