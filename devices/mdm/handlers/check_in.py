"""PUT /check-in."""

from django.http import HttpRequest, HttpResponse

from devices.mdm.check_in import check_in
from devices.mdm.handlers.plist_answers import plist_answer
from devices.mdm.identity import identify
from devices.mdm.messages import Message


def answer(request: HttpRequest, label: str, body: bytes) -> HttpResponse:
    identity = identify(label=label, header=request.headers.get("Mdm-Signature", ""), body=body)
    return plist_answer(check_in(identity, Message.read(body)))
