"""Read BER, the encoding of CMS and SCEP messages, within limits.

Devices send the forms that DER does not have: indefinite lengths, and strings in pieces. `read` returns the outermost
element, whose children are read when they are asked for: the contents of a certificate are passed over. `to_der`
converts the whole.
"""

from dataclasses import dataclass, field
from functools import cached_property

from devices.wire import der
from devices.wire.errors import Malformed

LARGEST = 64 * 1024  # bytes
DEEPEST = 32  # elements inside each other
MOST_ELEMENTS = 20_000

CONSTRUCTED = 0x20
_INDEFINITE = 0x80
# The strings that may be in pieces, by their tag with the bit of constructed elements.
_STRINGS = {number | CONSTRUCTED for number in (3, 4, 12, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 30)}
_BIT_STRING = 3


@dataclass(slots=True)
class _Document:
    """The bytes, and how many more elements may be read in them."""

    data: bytes
    left: int = MOST_ELEMENTS


@dataclass(eq=False)
class Element:
    """One element: its tag, and its place in the document."""

    document: _Document = field(repr=False)
    tag: int
    start: int  # of the tag
    body: int  # of the contents
    end: int  # of the contents
    after: int  # the next element's start
    depth: int
    # An element of indefinite length ends after its children, so they are known from the start.
    known: "list[Element] | None" = field(default=None, repr=False)

    @cached_property
    def children(self) -> "list[Element]":
        """The elements inside. Raises Malformed if there are none because the element is primitive."""
        if not self.tag & CONSTRUCTED:
            raise Malformed("An element is primitive.")
        if self.known is not None:
            return self.known
        children, at = [], self.body
        while at < self.end:
            child = _read(self.document, at, self.end, self.depth + 1)
            children.append(child)
            at = child.after
        return children

    @property
    def encoded(self) -> bytes:
        """The bytes of the element, as they are in the document."""
        return self.document.data[self.start : self.after]

    @property
    def contents(self) -> bytes:
        """The bytes inside the element, as they are in the document."""
        return self.document.data[self.body : self.end]

    @property
    def octets(self) -> bytes:
        """The value of an octet string, also one in pieces. The caller has tested the tag: it may be implicit."""
        if not self.tag & CONSTRUCTED:
            return self.contents
        pieces: list[bytes] = []
        self._gather(pieces, der.OCTET_STRING)
        return b"".join(pieces)

    def expect(self, tag: int) -> "Element":
        """Return the element. Raises Malformed if it has another tag."""
        if self.tag != tag:
            raise Malformed("An element has another tag than it should.")
        return self

    def to_der(self) -> bytes:
        """Return the element in DER, except that the order of sets stays."""
        if not self.tag & CONSTRUCTED:
            return der.element(self.tag, self.contents)
        if self.tag in _STRINGS:
            pieces: list[bytes] = []
            number = self.tag & ~CONSTRUCTED
            self._gather(pieces, number)
            return der.element(number, _bits(pieces) if number == _BIT_STRING else b"".join(pieces))
        return der.element(self.tag, *[child.to_der() for child in self.children])

    def _gather(self, pieces: list[bytes], number: int) -> None:
        """Append the contents of the pieces of a string, which may be in pieces themselves."""
        for child in self.children:
            if child.tag == number:
                pieces.append(child.contents)
            else:
                child.expect(number | CONSTRUCTED)._gather(pieces, number)  # noqa: SLF001 - of the same class


def read(data: bytes, *, most: int = LARGEST, padded: bool = False) -> Element:
    """Return the one element that the bytes are. `padded`: it may be followed by zeros.

    Raises Malformed, here or where children are read, for more than `most` bytes, more than 32 levels or 20,000
    elements, a length that leads past the end, a tag of several bytes, and bytes after the end.
    """
    if len(data) > most:
        raise Malformed(f"The message has more than {most} bytes.")
    element = _read(_Document(data), 0, len(data), 1)
    if element.after != len(data) and not (padded and not any(data[element.after :])):
        raise Malformed("There are bytes after the end of the message.")
    return element


def to_der(data: bytes, *, most: int = LARGEST) -> bytes:
    """Return the element in DER, except that the order of sets stays. Raises Malformed as `read` does."""
    return read(data, most=most).to_der()


def _read(document: _Document, start: int, limit: int, depth: int) -> Element:
    """Return the element at `start`, which ends at or before `limit`."""
    document.left -= 1
    if document.left < 0 or depth > DEEPEST:
        raise Malformed("The message has too many elements.")
    data = document.data
    if start + 2 > limit:
        raise Malformed("An element is cut off.")
    tag, length, body = data[start], data[start + 1], start + 2
    if tag == 0 or tag & 0x1F == 0x1F:
        raise Malformed("A tag is not one of CMS.")
    if length == _INDEFINITE:
        return _read_indefinite(document, tag, start, limit, depth)
    if length > _INDEFINITE:
        size = length & 0x7F
        body += size
        if size > 4 or body > limit:
            raise Malformed("A length is too large.")
        length = int.from_bytes(data[start + 2 : body])
    end = body + length
    if end > limit:
        raise Malformed("An element is cut off.")
    return Element(document, tag, start, body, end, end, depth)


def _read_indefinite(document: _Document, tag: int, start: int, limit: int, depth: int) -> Element:
    if not tag & CONSTRUCTED:
        raise Malformed("A primitive element has no length.")
    children: list[Element] = []
    at = start + 2
    while document.data[at : min(at + 2, limit)] != b"\0\0":
        child = _read(document, at, limit, depth + 1)
        children.append(child)
        at = child.after
    return Element(document, tag, start, start + 2, at, at + 2, depth, children)


def _bits(pieces: list[bytes]) -> bytes:
    """Join bit strings, of which only the last one may have a number of bits that is no multiple of eight."""
    if any(not piece for piece in pieces) or any(piece[0] for piece in pieces[:-1]):
        raise Malformed("The pieces of a bit string do not fit.")
    unused = pieces[-1][:1] if pieces else b"\0"
    return unused + b"".join([piece[1:] for piece in pieces])
