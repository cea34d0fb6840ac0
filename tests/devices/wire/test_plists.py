"""What a property list of a stranger may contain, and that it is read as plistlib reads it."""

import contextlib
import plistlib
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import isnan
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.wire import plists
from devices.wire.errors import Malformed

pytestmark = pytest.mark.sqlite_only  # no database

HEAD = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" '
    b'"http://www.apple.com/DTDs/PropertyList-1.0.dtd">\n'
)


def document(body: str) -> bytes:
    return HEAD + f'<plist version="1.0">{body}</plist>'.encode()


def value(body: str) -> Any:
    return plists.loads(document(f"<dict><key>k</key>{body}</dict>"))["k"]


# Characters that XML has; a carriage return is read as a line feed, by plistlib also.
texts = st.text(
    st.characters(
        codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff", include_characters="\n\t"
    )
)
values = st.recursive(
    texts
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.binary()
    | st.datetimes(min_value=datetime(1, 1, 1)).map(lambda moment: moment.replace(microsecond=0, tzinfo=UTC)),  # noqa: DTZ001
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(texts, values, max_size=5))
def test_odd_values_are_read_as_plistlib_reads_them(plist: dict[str, Any]) -> None:
    written = plistlib.dumps(plist, aware_datetime=True)
    assert plists.loads(written) == plistlib.loads(written, aware_datetime=True) == plist
    assert plists.loads(plists.dumps(plist)) == plist


ALPHABET = "ab<>&\"'\n\t é漢😀"


def some_value(random: Random, depth: int) -> Any:
    match random.randrange(9 if depth < 5 else 7):
        case 0:
            return "".join(random.choices(ALPHABET, k=random.randrange(30)))
        case 1:
            return random.random() < 0.5
        case 2:
            return random.randrange(-(2**63), 2**64)
        case 3:
            return random.randrange(-100, 100)
        case 4:
            return random.uniform(-1, 1) * 10 ** random.randrange(-300, 300)
        case 5:
            return random.randbytes(random.randrange(200))
        case 6:
            return datetime(1, 1, 1, tzinfo=UTC) + timedelta(seconds=random.randrange(315_537_897_600))
        case 7:
            return [some_value(random, depth + 1) for _ in range(random.randrange(6))]
        case _:
            return some_dict(random, depth + 1)


def some_dict(random: Random, depth: int = 0) -> dict[str, Any]:
    names = ("".join(random.choices(ALPHABET, k=random.randrange(9))) for _ in range(random.randrange(7)))
    return {name: some_value(random, depth) for name in names}


@pytest.mark.slow
def test_thousands_of_documents_are_read_as_plistlib_reads_them() -> None:
    # By a generator of its own: Hypothesis would take minutes for as many.
    random = Random(4711)
    for _ in range(3000):
        plist = some_dict(random)
        written = plistlib.dumps(plist, aware_datetime=True)
        assert plists.loads(written) == plistlib.loads(written, aware_datetime=True) == plist


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_give_a_dict_or_malformed(tail: bytes) -> None:
    for whole in (tail, HEAD + tail, HEAD + b"<plist><dict><key>" + tail + b"</dict></plist>"):
        with contextlib.suppress(Malformed):
            assert isinstance(plists.loads(whole), dict)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(texts, values, max_size=3), st.data())
def test_a_damaged_document_gives_a_dict_or_malformed(plist: dict[str, Any], drawn: st.DataObject) -> None:
    damaged = bytearray(plistlib.dumps(plist, aware_datetime=True))
    at = drawn.draw(st.integers(0, len(damaged) - 1))
    if drawn.draw(st.booleans()):
        damaged[at] ^= 1 << drawn.draw(st.integers(0, 7))
    else:
        del damaged[at:]
    with contextlib.suppress(Malformed):
        assert isinstance(plists.loads(bytes(damaged)), dict)


@pytest.mark.parametrize(
    "body",
    [
        "<dict><key>a</key><true/><key>a</key><true/></dict>",
        "<dict><key>a</key></dict>",
        "<dict><key>a</key><key>b</key><true/></dict>",
        "<dict><true/></dict>",
        "<dict><array><key>a</key></array></dict>",
        "<dict><key>a</key><array><key>b</key></array></dict>",
        "<array/>",
        "<string>a</string>",
        "<dict/><dict/>",
        "",
        "<key>a</key>",
        "<dict>text</dict>",
        "<dict><key>a</key><string><true/></string></dict>",
        "<dict><key>a</key><true>yes</true></dict>",
        "<dict><key>a</key><set/></dict>",
        "<dict><key>a</key><plist><dict/></plist></dict>",
        "<dict><key>a</key><string>&b;</string></dict>",
    ],
)
def test_a_document_of_another_shape_is_malformed(body: str) -> None:
    with pytest.raises(Malformed):
        plists.loads(document(body))


@pytest.mark.parametrize(
    "body",
    [
        *("<integer>18446744073709551616</integer>", "<integer>-9223372036854775809</integer>", "<integer/>"),
        *("<integer>0x10</integer>", "<integer>1_0</integer>", "<integer>٣</integer>", "<integer>1.0</integer>"),
        *("<real>one</real>", "<real>1_0</real>", f"<real>{'1' * 200}</real>", "<real/>"),
        *("<date>2026-01-01</date>", "<date>2026-13-01T00:00:00Z</date>", "<date>٢026-01-01T00:00:00Z</date>"),
        *("<date>2026-01-01T00:00:00+02:00</date>", "<date/>"),
        *("<data>AAA</data>", "<data>A===</data>", "<data>AA!A</data>", "<data>é</data>"),
    ],
)
def test_a_value_that_is_not_of_its_type_is_malformed(body: str) -> None:
    with pytest.raises(Malformed):
        value(body)


def test_values_at_the_edge() -> None:
    assert value("<integer>18446744073709551615</integer>") == 2**64 - 1
    assert value("<integer> +7\n</integer>") == 7
    assert isnan(value("<real>nan</real>"))
    assert value("<data>\n\tAA\n\tEC\n</data>") == b"\0\1\2"
    assert value("<data></data>") == b""
    assert value("<string> a\n</string>") == " a\n"
    assert value("<date>2026-01-02T03:04:05Z</date>") == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert plists.loads(b"\xef\xbb\xbf" + document("<dict/>")) == {}
    assert plists.loads(b"<plist><dict><!-- no head --></dict></plist>") == {}


@pytest.mark.parametrize(
    "head",
    [
        b'<!DOCTYPE plist [<!ENTITY a "aaaaaaaa">]>',
        b'<!DOCTYPE plist [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        b'<!DOCTYPE plist SYSTEM "http://example.com/own.dtd">',
        b'<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "x" [<!ELEMENT a ANY>]>',
        b'<!DOCTYPE html PUBLIC "-//Apple//DTD PLIST 1.0//EN" "x">',
        b'<?xml version="1.0" encoding="ISO-8859-1"?>',
        b'<?xml version="1.0" encoding="UTF-16"?>',
        b'<?xml version="1.0" encoding="us-ascii"?>',
    ],
)
def test_entities_other_document_types_and_other_encodings_are_malformed(head: bytes) -> None:
    with pytest.raises(Malformed):
        plists.loads(head + b"<plist><dict/></plist>")


def test_other_encodings_and_the_binary_format_are_malformed() -> None:
    for whole in (
        document("<dict/>").decode().replace("UTF-8", "UTF-16").encode("utf-16"),
        "<plist><dict/></plist>".encode("utf-16"),
        plistlib.dumps({}, fmt=plistlib.FMT_BINARY),
        document("<dict><key>k</key><string>é</string></dict>").decode().encode("latin-1"),
    ):
        with pytest.raises(Malformed):
            plists.loads(whole)


def test_a_bomb_of_entities_is_malformed_at_once() -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "lol"}">' for n in range(30))
    began = time.process_time()
    with pytest.raises(Malformed):
        plists.loads(
            f"<!DOCTYPE plist [{entities}]><plist><dict><key>k</key><string>&e29;</string></dict></plist>".encode()
        )
    assert time.process_time() - began < 0.5


def test_the_limits_of_depth_elements_and_size() -> None:
    def nested(levels: int) -> bytes:
        return document("<dict><key>k</key>" + "<array>" * (levels - 1) + "</array>" * (levels - 1) + "</dict>")

    plists.loads(nested(32))
    # plist, dict, key, array: four elements more than the booleans
    plists.loads(document(f"<dict><key>k</key><array>{'<true/>' * 99_996}</array></dict>"))
    for whole in (
        nested(33),
        nested(100_000),
        document(f"<dict><key>k</key><array>{'<true/>' * 99_997}</array></dict>"),
    ):
        with pytest.raises(Malformed):
            plists.loads(whole)
    with pytest.raises(Malformed):
        plists.loads(document("<dict/>"), most=20)


SIZE = 8 * 1024 * 1024 - 1024


@pytest.mark.parametrize(
    "make",
    [
        lambda: document(f"<dict><key>k</key><string>{'a' * SIZE}</string></dict>"),
        lambda: document(f"<dict><key>k</key><string>{'a\n' * (SIZE // 2)}</string></dict>"),
        lambda: document(f"<dict><key>k</key><string>{'&lt;' * (SIZE // 4)}</string></dict>"),
        lambda: document(f"<dict a='{'a' * SIZE}'/>"),
        lambda: document(f"<dict><!--{'a' * SIZE}--></dict>"),
        lambda: document(f"<dict><key>k</key><data>{'AAAA' * (SIZE // 4)}</data></dict>"),
    ],
    ids=["text", "lines", "references", "attribute", "comment", "data"],
)
def test_a_token_of_8_mb_takes_no_longer_than_its_length_asks_for(make: Callable[[], bytes]) -> None:
    whole = make()
    began = time.process_time()
    plists.loads(whole)
    assert time.process_time() - began < 5  # 0.02 to 1 s; 21 s where the time grew with the square


@pytest.mark.parametrize("body", ["<integer>{}</integer>", "<real>{}</real>", "<date>{}</date>"])
def test_a_long_number_is_malformed_at_once(body: str) -> None:
    whole = document(f"<dict><key>k</key>{body.format('1' * SIZE)}</dict>")
    began = time.process_time()
    with pytest.raises(Malformed):
        plists.loads(whole)
    assert time.process_time() - began < 5


def test_typed_access() -> None:
    plist: plists.Plist = {"t": "a" * 1000, "d": b"12", "i": 1, "b": True, "l": [1], "m": {"a": 1}}
    assert plists.text(plist, "t") == "a" * 1000
    assert plists.data(plist, "d", most=2) == b"12"
    assert plists.integer(plist, "i") == 1
    assert plists.boolean(plist, "b") is True
    assert plists.array(plist, "l") == [1]
    assert plists.dictionary(plist, "m") == {"a": 1}
    assert plists.text(plist, "missing") is None
    assert plists.given("a", "t") == "a"


def test_another_type_or_a_longer_value_is_malformed() -> None:
    plist: plists.Plist = {"t": "abc", "d": b"12", "i": 1, "b": True, "l": [1], "m": {"a": 1}}
    accesses: list[Callable[[], object]] = [
        lambda: plists.text(plist, "t", most=2),
        lambda: plists.data(plist, "d", most=1),
        lambda: plists.text(plist, "d"),
        lambda: plists.data(plist, "t", most=10),
        lambda: plists.integer(plist, "b"),
        lambda: plists.integer(plist, "t"),
        lambda: plists.boolean(plist, "i"),
        lambda: plists.array(plist, "m"),
        lambda: plists.dictionary(plist, "l"),
        lambda: plists.given(plists.text(plist, "missing"), "missing"),
    ]
    for access in accesses:
        with pytest.raises(Malformed):
            access()


@pytest.mark.parametrize("unwritable", [None, "\0", 2**64, {1}], ids=repr)
def test_a_value_that_the_format_does_not_have_is_not_written(unwritable: object) -> None:
    with pytest.raises((TypeError, ValueError, OverflowError)):
        plists.dumps({"k": unwritable})
