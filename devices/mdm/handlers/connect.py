"""PUT /connect."""

from django.http import HttpRequest, HttpResponse

from devices.mdm.handlers.plist_answers import plist_answer
from devices.mdm.identity import identify
from devices.mdm.messages import Message
from devices.mdm.sessions import connect
from devices.wire import plists


def answer(request: HttpRequest, label: str, body: bytes) -> HttpResponse:
    identity = identify(label=label, header=request.headers.get("Mdm-Signature", ""), body=body)
    command = connect(identity, Message.read(body))
    return plist_answer(plists.dumps(command) if command is not None else b"")
