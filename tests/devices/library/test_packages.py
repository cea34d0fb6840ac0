"""Reading installer packages: what they say of themselves, their signatures, and that no malicious file does harm."""

import hashlib
import random
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import Any

import pytest

from devices.library import packages
from devices.library.packages import App, Package, numbers
from devices.library.xar import UnreadablePackage
from tests.devices.installers import NAME, Bundle, Installer, wrapped

pytestmark = pytest.mark.sqlite_only  # about files, without a database

MEGABYTE = 1024 * 1024
VPN = App("com.accuhive.vpn", "4.2", "420", "/Applications/Accuhive VPN.app")
TOC = "<?xml version='1.0'?><xar><toc>{}</toc></xar>"


def read(content: bytes) -> Package:
    return packages.read(BytesIO(content))


@pytest.mark.parametrize("checksum", ["sha1", "sha256"])
@pytest.mark.parametrize("encoding", ["gzip", "bzip2", "plain"])
@pytest.mark.parametrize("signatures", [("RSA", "CMS"), ("RSA",), ("CMS",)])
def test_what_a_signed_distribution_says(checksum: str, encoding: str, signatures: tuple[str, ...]) -> None:
    assert read(Installer(checksum=checksum, encoding=encoding, signatures=signatures).data) == Package(
        unsigned="",
        signer=NAME,
        distribution=True,
        title="Accuhive VPN",
        identifier="com.accuhive.vpn.product",
        version="4.2.0",
        versions=["4.2.0", "4.2"],
        minimum_os_version="13.0",
        apps=[VPN],
    )


def test_a_component_alone_is_no_distribution() -> None:
    package = read(Installer(distribution="").data)
    assert not package.distribution
    assert (package.identifier, package.version, package.apps) == ("com.accuhive.vpn.pkg", "4.2", [VPN])


def test_it_goes_into_the_metadata_and_comes_back() -> None:
    package = read(Installer().data)
    assert Package.from_json(package.as_json()) == package


@pytest.mark.parametrize(
    ("bundle", "expected"),
    [
        (Bundle(path="Applications/Tools/VPN.app"), "/Applications/Applications/Tools/VPN.app"),
        (Bundle(path="/VPN.app"), "/Applications/VPN.app"),
        (Bundle(path="./VPN.app/Contents/Library/Helper.app"), ""),
        (Bundle(path="./VPN.framework/Helper.app"), ""),
        (Bundle(path="./VPN.framework"), ""),
        (Bundle(path=""), ""),
        (Bundle(identifier=""), ""),
        (Bundle(version="", build=""), ""),
        (Bundle(version=""), "/Applications/Accuhive VPN.app"),
        (Bundle(path="../VPN.app"), "/VPN.app"),
    ],
)
def test_the_apps_are_those_that_a_mac_lists(bundle: Bundle, expected: str) -> None:
    assert [app.path for app in read(Installer(bundles=(bundle,)).data).apps] == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("changes", "unsigned"),
    [
        ({"signatures": ()}, "is not signed"),
        ({"signer": "Mallory"}, "the certificate in the package has not made it"),
        ({"signer": "Mallory", "signatures": ("CMS",)}, "the certificate in the package has not made it"),
        ({"signer": "Mallory", "signatures": ("CMS",), "named": "Mallory"}, ""),
    ],
)
def test_who_has_signed(changes: dict[str, Any], unsigned: str) -> None:
    package = read(Installer().but(**changes).data)
    assert unsigned in package.unsigned
    assert bool(package.unsigned) == bool(unsigned)
    assert package.signer == ("" if unsigned else changes["named"])


def test_a_table_that_was_changed_is_not_the_signed_one() -> None:
    packed, heap = _split(Installer().data)
    toc = zlib.decompress(packed) + b" "
    changed = wrapped(toc, heap, 3)
    assert "other than its checksum says" in read(changed).unsigned
    # With a checksum of the changed table, the signature is one of the old table.
    right = hashlib.sha256(_split(changed)[0]).digest()
    assert "has not made it" in read(wrapped(toc, right + heap[32:], 3)).unsigned


def test_a_signature_of_a_checksum_that_can_be_forged_does_not_count() -> None:
    packed, heap = _split(Installer(checksum="sha1").data)
    toc = zlib.decompress(packed)
    for algorithm in (0, 2):
        assert "no checksum that is safe" in read(wrapped(toc, heap, algorithm)).unsigned
    assert not read(wrapped(toc, heap, 1)).unsigned


def _split(content: bytes) -> tuple[bytes, bytes]:
    """The compressed table of contents, and the heap."""
    _, size, _, packed, *_ = struct.unpack(">4sHHQQI", content[:28])
    return content[size : size + packed], content[size + packed :]


def toc_with(text: str, *, heap: bytes = b"", **header: int) -> bytes:
    return wrapped(TOC.format(text).encode(), heap, compressed=None, **header)


def entry(name: str, **data: object) -> str:
    inside = "".join(f"<{key}>{value}</{key}>" for key, value in data.items())
    return f"<file id='1'><name>{name}</name><type>file</type><data>{inside}<encoding style='{{}}'/></data></file>"


def plain(name: str, **data: object) -> str:
    return entry(name, **data).format("application/octet-stream")


def with_distribution(text: str) -> bytes:
    return Installer(distribution=text).data


LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "ends too early"),
    "a zip": (lambda: b"PK\3\4" + bytes(100), "does not begin as"),
    "another version": (lambda: toc_with("", version=2), "does not begin as"),
    "a header of 4 bytes": (lambda: toc_with("", size=4), "does not begin as"),
    "a header of 64 KB": (lambda: toc_with("", size=65535), "does not begin as"),
    "a table beyond the end": (lambda: toc_with("", packed=1_000_000), "ends too early"),
    "a table of exabytes": (lambda: toc_with("", packed=2**64 - 1), "too large"),
    "a table that says it is huge": (lambda: toc_with("", unpacked=2**63), "too large"),
    "a table larger than it says": (lambda: toc_with("", unpacked=10), "not as large as it says"),
    "a table smaller than it says": (lambda: toc_with("", unpacked=30 * MEGABYTE), "not as large as it says"),
    "a bomb": (lambda: wrapped(b" " * 31 * MEGABYTE, b""), "cannot be read"),
    "a bomb that says it is small": (
        lambda: wrapped(b"", b"", compressed=zlib.compress(b" " * 200 * MEGABYTE), unpacked=100),
        "not as large as it says",
    ),
    "no zlib": (lambda: wrapped(b"", b"", compressed=b"text", unpacked=4), "cannot be unpacked"),
    "no XML": (lambda: wrapped(b"text", b""), "is no XML"),
    "an unknown encoding": (lambda: wrapped(b"<?xml version='1.0' encoding='klingon'?><x/>", b""), "cannot be read"),
    "entities": (lambda: wrapped((LAUGHS + "<xar>&b;</xar>").encode(), b""), "declares a document type"),
    "an entity that is not there": (
        lambda: wrapped(b"<!DOCTYPE x SYSTEM 'http://example.com/x'><xar>&x;</xar>", b""),
        "has an entity",
    ),
    "deep": (lambda: toc_with("<file>" * 100 + "</file>" * 100), "too many elements"),
    "wide": (lambda: toc_with("<a/>" * 600_000), "too many elements"),
    "a negative length": (lambda: toc_with(plain("Distribution", offset=0, length=-1)), "no number"),
    "no number": (lambda: toc_with(plain("Distribution", offset="0x0", length=1)), "no number"),
    "digits of another script": (lambda: toc_with(plain("Distribution", offset="٣", length=1)), "no number"),
    "a number of 5,000 digits": (lambda: toc_with(plain("Distribution", offset="9" * 5000, length=1)), "no number"),
    "an offset beyond the end": (
        lambda: toc_with(plain("Distribution", offset=10**17, length=1)),
        "ends too early",
    ),
    "a length beyond the end": (lambda: toc_with(plain("Distribution", offset=0, length=5000)), "ends too early"),
    "a length of petabytes": (lambda: toc_with(plain("Distribution", offset=0, length=10**15)), "too large"),
    "no length": (lambda: toc_with(plain("Distribution", offset=0)), "impossible place"),
    "a file twice": (
        lambda: toc_with(plain("Distribution", offset=0, length=0) * 2),
        "a file twice",
    ),
    "2,000 components": (
        lambda: toc_with(
            "".join(
                f"<file><name>{number}.pkg</name>{plain('PackageInfo', offset=0, length=0)}</file>"
                for number in range(2000)
            )
        ),
        "too many files",
    ),
    "100 components": (
        lambda: Installer(files={f"{number}.pkg/PackageInfo": b"<pkg-info/>" for number in range(100)}).data,
        "components",
    ),
    "two checksums": (lambda: toc_with("<checksum style='sha1'/>" * 2), "two of checksum"),
    "two signatures": (lambda: toc_with("<signature style='RSA'/>" * 2), "two of signature"),
    "a checksum nowhere": (
        lambda: toc_with("<checksum style='sha1'><offset>9</offset><size>20</size></checksum><signature style='RSA'/>"),
        "ends too early",
    ),
    "a signature nowhere": (
        lambda: _signature_at("<offset>99999999</offset><size>256</size>"),
        "ends too early",
    ),
    "a signature of gigabytes": (
        lambda: _signature_at("<offset>0</offset><size>9999999999</size>"),
        "impossible place",
    ),
    "an unknown packing": (
        lambda: toc_with(entry("Distribution", offset=0, length=0).format("application/x-lzma")),
        "packed in an unknown way",
    ),
    "a packed file that is none": (
        lambda: toc_with(entry("Distribution", offset=0, length=4).format("application/x-gzip"), heap=b"text"),
        "cannot be unpacked",
    ),
    "a file that is not bzip2": (
        lambda: toc_with(entry("Distribution", offset=0, length=4).format("application/x-bzip2"), heap=b"text"),
        "cannot be unpacked",
    ),
    "a file other than its checksum": (
        lambda: Installer(signatures=(), encoding="plain").data.replace(
            b"Accuhive VPN</title>", b"Mallory  VPN</title>"
        ),
        "other than its checksum",
    ),
    "a bomb as the distribution": (lambda: with_distribution(" " * 20 * MEGABYTE), "too large"),
    "entities in the distribution": (
        lambda: with_distribution(LAUGHS + "<installer-gui-script>&b;</installer-gui-script>"),
        "declares a document type",
    ),
    "a distribution that is none": (lambda: with_distribution("{}"), "is no XML"),
}


def _signature_at(place: str) -> bytes:
    """An archive whose checksum is right, and whose signature is at an odd place."""
    area = "<checksum style='sha1'><offset>0</offset><size>20</size></checksum>"
    toc = TOC.format(f"{area}<signature style='RSA'>{place}</signature>").encode()
    return wrapped(toc, hashlib.sha1(zlib.compress(toc)).digest())


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_with_a_reason(name: str) -> None:
    make, reason = HOSTILE[name]
    content = make()
    tracemalloc.start()
    began = time.process_time()
    try:
        with pytest.raises(UnreadablePackage, match=reason):
            read(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100 * MEGABYTE
    assert time.process_time() - began < 20  # with tracemalloc, which makes it many times slower


@pytest.mark.parametrize(
    "keys",
    [
        "",
        "<KeyInfo><X509Data><X509Certificate>%%%</X509Certificate></X509Data></KeyInfo>",
        "<KeyInfo><X509Data><X509Certificate>MIIB</X509Certificate></X509Data></KeyInfo>",
        f"<KeyInfo><X509Data><X509Certificate>{'A' * 200_000}</X509Certificate></X509Data></KeyInfo>",
    ],
)
@pytest.mark.parametrize("kind", ["signature", "x-signature"])
def test_a_signature_that_cannot_be_read_is_none(kind: str, keys: str) -> None:
    area = "<checksum style='sha1'><offset>0</offset><size>20</size></checksum>"
    place = "<offset>0</offset><size>20</size>"
    style = "RSA" if kind == "signature" else "CMS"
    toc = TOC.format(f"{area}<{kind} style='{style}'>{place}{keys}</{kind}>").encode()
    assert "it cannot be read" in read(wrapped(toc, hashlib.sha1(zlib.compress(toc)).digest())).unsigned


def test_random_damage_raises_nothing_else() -> None:
    whole = Installer().data
    chance = random.Random(4711)
    for _ in range(600):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        cut = bytes(damaged[: chance.randint(0, len(damaged))] if chance.random() < 0.3 else damaged)
        with suppress(UnreadablePackage):
            read(cut)
    packed, heap = _split(whole)
    toc = zlib.decompress(packed)
    for _ in range(600):
        damaged = bytearray(toc)
        for _ in range(chance.randint(1, 8)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        with suppress(UnreadablePackage):
            # Chance may have put the same bytes where they were.
            assert read(wrapped(bytes(damaged), heap, 3)).unsigned or damaged == toc


@pytest.mark.parametrize(
    ("one", "other"), [("1.0", "1"), ("1.10", "1.10.0"), ("v2.0", "2"), ("", "x"), ("20240815123456", "20240815123456")]
)
def test_versions_that_are_the_same(one: str, other: str) -> None:
    assert numbers(one) == numbers(other)


def test_versions_are_compared_by_their_numbers() -> None:
    assert numbers("1.10") > numbers("1.9.9")
    assert numbers("2") > numbers("1.99")
