"""What Apple's push service demands of a request, checked strictly."""

import json
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

PATH = re.compile(r"/3/device/((?:[0-9a-f]{2}){1,100})")
UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
MONTH = 30 * 24 * 60 * 60
LONGEST_BODY = 4096
HEADERS = {
    *(":method", ":scheme", ":authority", ":path"),
    *("apns-topic", "apns-push-type", "apns-priority", "apns-expiration", "apns-id"),
}


@dataclass(frozen=True, slots=True)
class Received:
    """A push that arrived, on the connection of this number."""

    token: bytes
    magic: str
    topic: str
    apns_id: str
    connection: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a push. A reason other than none makes a body of it."""

    status: int = 200
    reason: str = ""
    timestamp: int | None = None  # milliseconds since 1970
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def body(self) -> bytes:
        if not self.reason:
            return b""
        moment = {} if self.timestamp is None else {"timestamp": self.timestamp}
        return json.dumps({"reason": self.reason} | moment).encode()


def check(fields: Sequence[tuple[str, str]], body: bytes, topic: str, connection: int) -> Received | Answer:
    """Return the push in a request of a client whose certificate is for `topic`, or the answer that refuses it."""
    headers = dict(fields)
    path = PATH.fullmatch(headers.get(":path", ""))
    expiration = headers.get("apns-expiration", "")
    refusals = [
        (headers.get(":method") != "POST", Answer(405, "MethodNotAllowed")),
        (not headers.get(":path", "").startswith("/3/device/"), Answer(404, "BadPath")),
        (path is None, Answer(400, "BadDeviceToken")),
        ("apns-topic" not in headers, Answer(400, "MissingTopic")),
        (headers.get("apns-topic") != topic, Answer(400, "TopicDisallowed")),
        (headers.get("apns-push-type") != "mdm", Answer(400, "InvalidPushType")),
        (headers.get("apns-priority") != "10", Answer(400, "BadPriority")),
        (not (expiration.isdecimal() and 0 < int(expiration) - time.time() <= MONTH), Answer(400, "BadExpirationDate")),
        (not UUID.fullmatch(headers.get("apns-id", "")), Answer(400, "BadMessageId")),
        # APNs has no such answers: these are for defects of ours that it would forgive.
        (headers.get(":scheme") != "https" or not headers.get(":authority"), Answer(400, "BadRequest")),
        (set(headers) != HEADERS, Answer(400, "UnexpectedHeaders")),
        (max(Counter(name for name, _ in fields).values(), default=0) > 1, Answer(400, "DuplicateHeaders")),
        (not body, Answer(400, "PayloadEmpty")),
        (len(body) > LONGEST_BODY, Answer(413, "PayloadTooLarge")),
    ]
    for wrong, answer in refusals:
        if wrong:
            return answer
    magic = _magic(body)
    if path is None or magic is None:
        return Answer(400, "BadPayload")
    return Received(bytes.fromhex(path[1]), magic, topic, headers["apns-id"], connection)


def _magic(body: bytes) -> str | None:
    try:
        content = json.loads(body)
    except ValueError:
        return None
    if not isinstance(content, dict) or set(content) != {"mdm"}:
        return None
    return content["mdm"] if isinstance(content["mdm"], str) and content["mdm"] else None
