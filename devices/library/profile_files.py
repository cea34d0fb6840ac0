"""Configuration profiles as files: check an upload, and set the server's identifiers in it.

The server sets only three values at the top: PayloadIdentifier, PayloadDisplayName and PayloadUUID. It replaces them
in the text, at the positions that a parser found. An XML library that writes the profile anew would lose details
(comments, the order of keys, the line breaks of data), and with them the proof that PayloadContent is unchanged. Here
every byte outside the three values stays as it is.
"""

import hashlib
import plistlib
import re
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID
from xml.parsers import expat
from xml.sax.saxutils import escape

from django.core.exceptions import ValidationError

from devices.models import LibraryItem

LARGEST = 1_000_000  # bytes: a page's form has room for them; a page of the API's list has 300 profiles
DEEPEST = 64  # nested elements
DIGITS = 12
IDENTIFIER, DISPLAY_NAME, PAYLOAD_UUID = "PayloadIdentifier", "PayloadDisplayName", "PayloadUUID"
STAMPED = (IDENTIFIER, DISPLAY_NAME, PAYLOAD_UUID)
# Characters that XML 1.0 forbids, even escaped.
NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# plistlib raises these for invalid values of an element, such as an invalid date or an integer of 5,000 digits.
UNREADABLE = (ValueError, TypeError, AttributeError, IndexError, KeyError, OverflowError, expat.ExpatError)


class UnreadableProfile(ValidationError):
    """The file cannot be used. The message is the reason, as the error of the field `file`."""

    def __init__(self, reason: str) -> None:
        super().__init__({"file": reason})


@dataclass(slots=True)
class Places:
    """Positions in the bytes of a profile."""

    content: int = 0  # just after the start tag of the outermost dictionary
    stamps: list[tuple[str, int, int]] = field(default_factory=list)  # key, and start and end of its value


def mdm_identifier(item: LibraryItem) -> str:
    """The PayloadIdentifier of the item's profile. Devices use it to find the profile that they replace."""
    return f"com.kandji.profile.custom.{item.uuid}"


def checked(data: bytes) -> str:
    """The text of an uploaded profile. Raises UnreadableProfile for a file that is not an unsigned profile in XML."""
    if not data:
        raise UnreadableProfile("The submitted file is empty.")
    if len(data) > LARGEST:
        raise UnreadableProfile(f"A profile has at most {LARGEST // 1_000_000} MB.")
    if data.startswith(b"bplist"):
        raise UnreadableProfile("This is a binary property list. Upload the profile as XML.")
    # CMS begins with a long SEQUENCE in DER, and with a header in PEM.
    if (data[0] == 0x30 and len(data) > 1 and data[1] & 0x80) or data.startswith(b"-----BEGIN"):
        raise UnreadableProfile(
            "This profile is signed. Upload it unsigned: the server changes its identifier, which breaks a signature."
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadableProfile("A profile is XML in UTF-8.") from None
    _Scan(text.encode())
    _check_content(content_of(text))
    return text


def stamped(text: str, *, identifier: str, name: str, uuid: UUID | None) -> str:
    """The profile with these values at its top. `text` came from `checked` or from here."""
    data = text.encode()
    places = _Scan(data).places
    values = {IDENTIFIER: identifier, DISPLAY_NAME: name, PAYLOAD_UUID: str(uuid).upper() if uuid else ""}
    elements = {key: f"<string>{_escaped(value)}</string>".encode() for key, value in values.items()}
    found = {key for key, _, _ in places.stamps}
    missing = [f"\n\t<key>{key}</key>\n\t".encode() + elements[key] for key in STAMPED if key not in found]
    parts, at = [data[: places.content], *missing], places.content
    for key, start, end in places.stamps:
        parts += [data[at:start], elements[key]]
        at = end
    return b"".join([*parts, data[at:]]).decode()


def description(text: str) -> str:
    """The version of a profile for the trail: a checksum of the author's part, and the PayloadUUID."""
    content = stamped(text, identifier="", name="", uuid=None)
    digest = hashlib.sha256(content.encode()).hexdigest()[:DIGITS]
    return f"content sha256 {digest}…, PayloadUUID {content_of(text).get(PAYLOAD_UUID)}"


def content_of(text: str) -> dict[str, Any]:
    """The profile as a dictionary. Raises UnreadableProfile."""
    try:
        content = plistlib.loads(text.encode(), fmt=plistlib.FMT_XML)
    except UNREADABLE:
        raise UnreadableProfile("This is no property list: a value in it cannot be read.") from None
    if not isinstance(content, dict):
        raise UnreadableProfile("A profile is a dictionary.")
    return content


def check_name(name: str) -> None:
    """Raises ValidationError for a name with characters that XML forbids."""
    if NOT_XML.search(name):
        raise ValidationError({"name": "Control characters are not allowed."})


def _check_content(content: dict[str, Any]) -> None:
    if content.get("PayloadType") != "Configuration":
        raise UnreadableProfile("This is no configuration profile: its PayloadType is not Configuration.")
    payloads = content.get("PayloadContent", [])
    if not isinstance(payloads, list) or not all(isinstance(payload, dict) for payload in payloads):
        raise UnreadableProfile("PayloadContent is not a list of payloads.")
    for number, payload in enumerate(payloads, 1):
        if not isinstance(payload.get("PayloadType"), str):
            raise UnreadableProfile(f"Payload {number} has no PayloadType.")


def _escaped(value: str) -> str:
    return escape(value, {"\r": "&#13;"})


class _Scan:
    """One pass of expat over the bytes: refuses XML that a profile never has, and finds the positions of the stamps.

    An entity is refused at its declaration, so that none is ever expanded. Expat opens no URL.
    """

    def __init__(self, data: bytes) -> None:
        self.places = Places()
        self._data = data
        self._open: list[str] = []
        self._key = self._text = ""
        self._start = 0
        parser = self._parser = expat.ParserCreate("UTF-8")
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self._begin, self._end
        parser.CharacterDataHandler = self._characters
        parser.EntityDeclHandler = parser.SkippedEntityHandler = self._entity
        parser.XmlDeclHandler = self._declaration
        try:
            parser.Parse(data, True)
        except expat.ExpatError as error:
            raise UnreadableProfile(f"This is no XML: {expat.ErrorString(error.code)} (line {error.lineno}).") from None
        if not self.places.content:
            raise UnreadableProfile("This is no property list with a dictionary.")

    @property
    def _level(self) -> int:
        return len(self._open)

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        if attributes and name != "plist":
            raise UnreadableProfile(f"The element {name[:40]} has attributes, which a property list has not.")
        if self._level >= DEEPEST:
            raise UnreadableProfile(f"More than {DEEPEST} elements are within each other.")
        start = self._parser.CurrentByteIndex
        if self._level == 1 and name == "dict":
            self.places.content = self._data.index(b">", start) + 1
        if self._level == 2:
            self._start, self._text = start, ""
        self._open.append(name)

    def _end(self, name: str) -> None:
        self._open.pop()
        if self._level != 2:
            return
        if name == "key":
            self._key = self._text
        elif self._key in STAMPED and self._open[1] == "dict":
            self.places.stamps.append((self._key, self._start, self._end_of(name)))

    def _end_of(self, name: str) -> int:
        """The end position of the current element. For `<string/>`, expat's position is already after it."""
        tag = self._data.index(b">", self._start) + 1
        if self._data[tag - 2 : tag] == b"/>":
            return tag
        return self._data.index(b">", self._parser.CurrentByteIndex) + 1

    def _characters(self, text: str) -> None:
        if self._level == 3:
            self._text += text

    def _entity(self, *declaration: Any) -> None:
        raise UnreadableProfile("The profile declares or uses an entity, which is not allowed.")

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding and encoding.lower() not in {"utf-8", "utf8", "us-ascii"}:
            raise UnreadableProfile("A profile is XML in UTF-8.")
