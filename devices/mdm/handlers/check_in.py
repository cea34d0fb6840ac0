"""PUT /check-in."""

import orjson
from django.http import HttpRequest, HttpResponse

from devices.mdm import declarative
from devices.mdm.check_in import check_in
from devices.mdm.handlers.plist_answers import plist_answer
from devices.mdm.identity import identify
from devices.mdm.messages import Message
from devices.mdm.refusals import MdmRefused

LARGEST = 1024 * 1024  # bytes of a message that is no status report


def answer(request: HttpRequest, label: str, body: bytes) -> HttpResponse:
    identity = identify(label=label, header=request.headers.get("Mdm-Signature", ""), body=body)
    message = Message.read(body)
    if message.text("MessageType") == "DeclarativeManagement":
        try:
            document = declarative.answer(identity, message)
        except declarative.Unknown:
            return HttpResponse(status=404)
        return HttpResponse(b"" if document is None else orjson.dumps(document), content_type="application/json")
    if len(body) > LARGEST:
        raise MdmRefused("The body is too large.", status=413)
    return plist_answer(check_in(identity, message))
