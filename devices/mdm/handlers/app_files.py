"""GET and HEAD /files/<link>: the installer of a device fetches an app, without the device's certificate."""

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from devices.files.downloads import send
from devices.files.errors import FileError
from devices.library.desired import links, payloads
from devices.mdm.handlers.plist_answers import plist_answer
from devices.mdm.refusals import MdmRefused


def answer(request: HttpRequest, label: str, body: bytes) -> HttpResponseBase:
    try:
        link = links.read(request.path_info.rpartition("/")[2])
        item, file = links.follow(label, link)
    except links.LinkRefused:
        raise MdmRefused("The link to a file is not valid.", status=404) from None
    if link.kind is not links.Kind.FILE:
        return plist_answer(payloads.manifest(item, file, links.file_url(item.tenant, link)))
    try:
        return send(request, file, file.name)
    except FileError as error:
        return HttpResponse(status=error.status)
