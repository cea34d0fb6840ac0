"""Write DER, and the object identifiers of CMS and SCEP."""

INTEGER, OCTET_STRING, NULL, OBJECT_IDENTIFIER, PRINTABLE_STRING = 0x02, 0x04, 0x05, 0x06, 0x13
SEQUENCE, SET = 0x30, 0x31


def element(tag: int, *contents: bytes) -> bytes:
    """Return an element with a length in its shortest form."""
    body = b"".join(contents)
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + body


def sequence(*items: bytes) -> bytes:
    return element(SEQUENCE, *items)


def set_of(*items: bytes) -> bytes:
    """Return a set whose items are in the order that DER asks for."""
    return element(SET, *sorted(items))


def integer(number: int) -> bytes:
    bits = (number if number >= 0 else ~number).bit_length()
    return element(INTEGER, number.to_bytes(bits // 8 + 1, signed=True))


def octets(content: bytes) -> bytes:
    return element(OCTET_STRING, content)


def printable(text: str) -> bytes:
    return element(PRINTABLE_STRING, text.encode("ascii"))


def null() -> bytes:
    return element(NULL)


def explicit(number: int, *items: bytes) -> bytes:
    """Return the items inside a context tag: `[0] EXPLICIT`, and also `[0] IMPLICIT SET OF`."""
    return element(0xA0 | number, *items)


def indefinite(tag: int, *contents: bytes) -> bytes:
    """Return an element in the BER form that has no length."""
    return bytes((tag, 0x80)) + b"".join(contents) + b"\0\0"


def oid(dotted: str) -> bytes:
    """Return the contents of an object identifier; `object_identifier` puts the tag around them."""
    first, second, *rest = (int(part) for part in dotted.split("."))
    encoded = bytearray()
    for number in (40 * first + second, *rest):
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(0x80 | number & 0x7F)
        encoded += bytes(reversed(groups))
    return bytes(encoded)


def object_identifier(contents: bytes) -> bytes:
    return element(OBJECT_IDENTIFIER, contents)


def algorithm(contents: bytes, parameters: bytes = b"") -> bytes:
    """Return an AlgorithmIdentifier."""
    return sequence(object_identifier(contents), parameters)
