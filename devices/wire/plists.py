"""Property lists: a reader for documents of strangers, and typed access to their values.

`plistlib` is not used for reading. It gives a document to the XML parser in pieces of 2 KiB, for which old versions of
expat take a time that grows with the square of the largest token, and it accepts a key twice, entities of other
encodings and any depth.
"""

import binascii
import plistlib
import re
from datetime import UTC, datetime
from typing import Any, NoReturn
from xml.parsers import expat

from devices.wire.errors import Malformed

LARGEST = 8 * 1024 * 1024  # bytes of a document
DEEPEST = 32  # dicts and arrays inside each other
MOST_ELEMENTS = 100_000
LONGEST_TEXT = 1_000  # characters that `text` returns
SMALLEST_INTEGER, LARGEST_INTEGER = -(2**63), 2**64 - 1  # of the format

type Plist = dict[str, Any]

_APPLE = {"-//Apple//DTD PLIST 1.0//EN", "-//Apple Computer//DTD PLIST 1.0//EN"}
_LEAVES = {"key", "string", "data", "date", "integer", "real"}
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,20}", re.ASCII)
_REAL = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?|nan)", re.ASCII | re.IGNORECASE)
_LONGEST_REAL = 100  # characters
_BLANKS = " \t\r\n"
_NO_BLANKS = str.maketrans("", "", _BLANKS)


def loads(data: bytes, *, most: int = LARGEST) -> Plist:
    """Return the dict that is the root of an XML property list. Dates are in UTC and aware.

    Raises Malformed for all else: more than `most` bytes, another encoding than UTF-8, a document type that is not
    Apple's, entities, more than 32 levels or 100,000 elements, a key twice or without a value, a value that is not
    of its type. The time is linear in the length.
    """
    if len(data) > most:
        raise Malformed(f"The property list has more than {most} bytes.")
    if b"\0" in data:  # XML has no such character. It has one in UTF-16, which the parser would read for its first mark
        raise Malformed("The XML is not in UTF-8.")
    reader = _Reader()
    try:
        reader.parser.Parse(data, True)  # the whole document at once: pieces are what costs the time
    except expat.ExpatError as error:
        raise Malformed(f"The XML is not well-formed: {expat.ErrorString(error.code)}.") from None
    except UnicodeDecodeError:
        raise Malformed("The XML is not in UTF-8.") from None
    finally:
        reader.close()
    return reader.root()


def dumps(plist: Plist) -> bytes:
    """Return an XML property list with the keys in their order.

    Raises TypeError, ValueError or OverflowError for a value that the format does not have, such as None, a text with
    control characters or an integer of more than 64 bits.
    """
    return plistlib.dumps(plist, sort_keys=False, aware_datetime=True)


def text(plist: Plist, key: str, *, most: int = LONGEST_TEXT) -> str | None:
    """Return the text of the key; None if there is no such key. Raises Malformed for another type or a longer text."""
    value = _value(plist, key, str)
    if value is not None and len(value) > most:
        raise Malformed(f"{_named(key)} has more than {most} characters.")
    return value


def data(plist: Plist, key: str, *, most: int) -> bytes | None:
    """Return the bytes of the key; None if there is no such key. Raises Malformed for another type or more bytes."""
    value = _value(plist, key, bytes)
    if value is not None and len(value) > most:
        raise Malformed(f"{_named(key)} has more than {most} bytes.")
    return value


def integer(plist: Plist, key: str) -> int | None:
    """Return the integer of the key; None if there is no such key. Raises Malformed for another type."""
    value = _value(plist, key, int)
    if isinstance(value, bool):
        raise Malformed(f"{_named(key)} is not of the type int.")
    return value


def boolean(plist: Plist, key: str) -> bool | None:
    """Return the boolean of the key; None if there is no such key. Raises Malformed for another type."""
    return _value(plist, key, bool)


def array(plist: Plist, key: str) -> list[Any] | None:
    """Return the list of the key; None if there is no such key. Raises Malformed for another type."""
    value: list[Any] | None = _value(plist, key, list)
    return value


def dictionary(plist: Plist, key: str) -> Plist | None:
    """Return the dict of the key; None if there is no such key. Raises Malformed for another type."""
    value: Plist | None = _value(plist, key, dict)
    return value


def given[T](value: T | None, key: str) -> T:
    """Return the value. Raises Malformed if it is None: `given(text(plist, "UDID"), "UDID")`."""
    if value is None:
        raise Malformed(f"{_named(key)} is missing.")
    return value


def _value[T](plist: Plist, key: str, type: type[T]) -> T | None:
    value = plist.get(key)
    if value is not None and not isinstance(value, type):
        raise Malformed(f"{_named(key)} is not of the type {type.__name__}.")
    return value


def _named(key: str) -> str:
    return f"The value of {key!r}"


class _Reader:
    """The handlers of one document. The values of open dicts and arrays are in a list of their own, the stack."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        self.parser.buffer_size = 64 * 1024
        self.parser.XmlDeclHandler = self._declaration
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.EntityDeclHandler = self._entity
        self.parser.SkippedEntityHandler = self._entity
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.elements = 0
        self.stack: list[Plist | list[Any]] = []
        self.keys: list[str | None] = []  # for each of the stack, the key that waits for its value
        self.leaf: str | None = None  # the open element, if it has text and no elements
        self.pieces: list[str] = []
        self.in_plist = False
        self.result: Plist | None = None

    def close(self) -> None:
        """Break the circle of parser and handlers, so that a large document is freed at once."""
        for name in ("XmlDecl", "StartDoctypeDecl", "EntityDecl", "SkippedEntity", "StartElement", "EndElement"):
            setattr(self.parser, f"{name}Handler", None)
        self.parser.CharacterDataHandler = None

    def root(self) -> Plist:
        if self.result is None:
            raise Malformed("The property list is empty.")
        return self.result

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.lower() != "utf-8":
            raise Malformed("The encoding is not UTF-8.")

    def _doctype(self, name: str, system: str | None, public: str | None, internal: bool) -> None:
        if name != "plist" or internal or public not in _APPLE:
            raise Malformed("The document type is not Apple's.")

    def _entity(self, *details: object) -> NoReturn:
        raise Malformed("The document has an entity.")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self.elements += 1
        if self.elements > MOST_ELEMENTS:
            raise Malformed(f"The property list has more than {MOST_ELEMENTS} elements.")
        if self.leaf is not None:
            raise Malformed("An element is inside a value.")
        if name == "plist" and not self.in_plist:
            self.in_plist = True
        elif not self.in_plist:
            raise Malformed("The document is not a property list.")
        elif name in {"dict", "array"}:
            self._open({} if name == "dict" else [])
        elif name in _LEAVES or name in {"true", "false"}:
            self.leaf = name
        else:
            raise Malformed("The property list has an unknown element.")

    def _end(self, name: str) -> None:
        if self.leaf is not None:
            self.leaf = None
            content = "".join(self.pieces)
            self.pieces.clear()
            if name == "key":
                self._key(content)
            else:
                self._add(_parsed(name, content))
        elif name in {"dict", "array"}:
            if self.keys.pop() is not None:
                raise Malformed("A key has no value.")
            self.stack.pop()

    def _characters(self, characters: str) -> None:
        if self.leaf is not None:
            self.pieces.append(characters)
        elif characters.strip(_BLANKS):
            raise Malformed("There is text outside of the values.")

    def _open(self, container: Plist | list[Any]) -> None:
        if len(self.stack) >= DEEPEST:
            raise Malformed(f"The property list has more than {DEEPEST} levels.")
        self._add(container)
        self.stack.append(container)
        self.keys.append(None)

    def _key(self, key: str) -> None:
        if not self.stack or not isinstance(container := self.stack[-1], dict) or self.keys[-1] is not None:
            raise Malformed("A key is where none may be.")
        if key in container:
            raise Malformed("A key is there twice.")
        self.keys[-1] = key

    def _add(self, value: Any) -> None:
        if not self.stack:
            if self.result is not None or not isinstance(value, dict):
                raise Malformed("The root is not one dict.")
            self.result = value
            return
        container = self.stack[-1]
        if isinstance(container, list):
            container.append(value)
            return
        key = self.keys[-1]
        if key is None:
            raise Malformed("A value has no key.")
        container[key] = value
        self.keys[-1] = None


def _parsed(name: str, content: str) -> Any:
    """Return the value of an element with this content."""
    match name:
        case "string":
            return content
        case "data":
            return _bytes(content)
        case "integer":
            return _integer(content.strip(_BLANKS))
        case "date":
            return _date(content.strip(_BLANKS))
        case "real":
            return _real(content.strip(_BLANKS))
        case _:
            if content:
                raise Malformed("A boolean has text.")
            return name == "true"


def _bytes(content: str) -> bytes:
    try:
        return binascii.a2b_base64(content.translate(_NO_BLANKS), strict_mode=True)
    except ValueError:  # binascii.Error is one, and the error for letters outside of ASCII is another
        raise Malformed("The data is not in base64.") from None


def _integer(content: str) -> int:
    if not _INTEGER.fullmatch(content) or not SMALLEST_INTEGER <= (number := int(content)) <= LARGEST_INTEGER:
        raise Malformed("An integer is malformed or too large.")
    return number


def _date(content: str) -> datetime:
    try:
        if _DATE.fullmatch(content):
            return datetime.strptime(content, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        pass
    raise Malformed("A date is malformed.")


def _real(content: str) -> float:
    if len(content) > _LONGEST_REAL or not _REAL.fullmatch(content):
        raise Malformed("A real number is malformed.")
    return float(content)
