"""The reader of BER, compared with asn1crypto, and what it refuses."""

import time
from contextlib import suppress
from random import Random

import pytest
from asn1crypto import core, parser
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.wire import ber, der
from devices.wire.errors import Malformed

pytestmark = pytest.mark.sqlite_only  # no database


def some_element(random: Random, depth: int = 0) -> tuple[bytes, bytes]:
    """An element in some BER form, and in DER."""
    kind = random.randrange(4 if depth < 6 else 1)
    if kind == 0:
        content = random.randbytes(random.choice([0, 1, 5, 127, 128, 300]))
        return framed(random, 0x04, content), der.octets(content)
    if kind == 1:
        content = random.randbytes(random.randrange(40))
        return in_pieces(random, content), der.octets(content)
    parts = [some_element(random, depth + 1) for _ in range(random.randrange(4))]
    tag = random.choice([0x30, 0x31, 0xA0, 0xA3])
    inner = b"".join(part for part, _ in parts)
    written = der.indefinite(tag, inner) if random.random() < 0.5 else framed(random, tag, inner)
    return written, der.element(tag, *[part for _, part in parts])


def framed(random: Random, tag: int, content: bytes) -> bytes:
    """With the shortest length, or with a longer form of it."""
    if random.random() < 0.7:
        return der.element(tag, content)
    return bytes([tag, 0x84]) + len(content).to_bytes(4) + content


def in_pieces(random: Random, content: bytes) -> bytes:
    at = random.randrange(len(content) + 1)
    pieces = [der.octets(content[:at])]
    pieces.append(in_pieces(random, content[at:]) if random.random() < 0.3 else der.octets(content[at:]))
    return der.indefinite(0x24, *pieces) if random.random() < 0.5 else der.element(0x24, *pieces)


def test_every_form_becomes_der() -> None:
    random = Random(4711)
    for _ in range(3000):
        written, expected = some_element(random)
        assert ber.to_der(written) == expected
        assert ber.to_der(expected) == expected


def test_elements_are_where_asn1crypto_finds_them() -> None:
    random = Random(4712)
    for _ in range(1000):
        _, written = some_element(random)
        element = ber.read(written)
        _, _, tag, header, content, trailer = parser.parse(written, strict=True)
        assert (element.tag & 0x1F, element.contents, element.encoded) == (tag, content, header + content + trailer)


def test_a_string_in_pieces_is_read_as_asn1crypto_reads_it() -> None:
    random = Random(4713)
    for _ in range(500):
        pieces = [der.octets(random.randbytes(20)) for _ in range(random.randrange(4))]
        written = der.indefinite(0x24, *pieces)
        assert ber.read(written).octets == core.OctetString.load(written).native


def test_bit_strings_in_pieces() -> None:
    assert ber.to_der(bytes.fromhex("2308 030200aa 030204b0")) == bytes.fromhex("0303 04aab0")
    for wrong in ("2308 030204b0 030200aa", "2302 0300", "2305 0403 00aabb"):
        with pytest.raises(Malformed):
            ber.to_der(bytes.fromhex(wrong))


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_der_or_malformed(data: bytes) -> None:
    with suppress(Malformed):
        again = ber.to_der(data)
        assert ber.to_der(again) == again


@pytest.mark.parametrize(
    "wrong",
    [
        *(
            "",
            "30",
            "3001",
            "308000",
            "30800000 00",
            "0480",
            "04800000",
            "3082ffff00",
            "3084ffffffff",
            "30850000000000",
        ),
        *(
            "1f8100",
            "3f8100",
            "30020000",
            "3003040200",
            "0401aa bb",
            "30ff",
            "240402 02aaaa",
            "2480 020100 0000",
            "0000",
        ),
        *("3080 3080 0000", "3003 0480 00"),
    ],
)
def test_a_message_of_another_form_is_malformed(wrong: str) -> None:
    data = bytes.fromhex(wrong)
    with pytest.raises(Malformed):
        ber.to_der(data)


def test_the_limits_of_depth_number_and_size() -> None:
    def nested(levels: int) -> bytes:
        return b"\x30\x80" * levels + b"\0\0" * levels

    assert ber.to_der(nested(32))
    for wrong in (
        nested(33),
        nested(16_000),
        b"\x30\x80" * 32_000,
        der.sequence(b"\5\0" * 20_000),
        der.octets(b"a" * ber.LARGEST),
    ):
        with pytest.raises(Malformed):
            ber.to_der(wrong)
    with pytest.raises(Malformed):
        ber.read(b"\5\0").children  # noqa: B018
    assert ber.read(der.octets(b"a" * ber.LARGEST), most=2 * ber.LARGEST).octets == b"a" * ber.LARGEST


def test_the_time_is_linear() -> None:
    """With 31 levels around everything, four times as many elements take about four times as long."""

    def seconds(elements: int) -> float:
        inner = b"\4\1a" * elements
        for _ in range(30):
            inner = der.indefinite(0x30, inner)
        began = time.process_time()
        ber.to_der(inner)
        return time.process_time() - began

    assert min(seconds(16_000) for _ in range(3)) < 6 * min(seconds(4_000) for _ in range(3)) + 0.05


def test_numbers_and_identifiers_are_written_as_asn1crypto_writes_them() -> None:
    for number in (0, 1, 127, 128, 255, 256, 2**127, -1, -128, -129):
        assert der.integer(number) == core.Integer(number).dump()
    for dotted in ("1.2.840.113549.1.7.2", "2.16.840.1.101.3.4.2.1", "1.3.14.3.2.26", "2.5.4.3"):
        assert der.object_identifier(der.oid(dotted)) == core.ObjectIdentifier(dotted).dump()
