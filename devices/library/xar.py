"""Reads a XAR archive, which is what an installer package is: its table of contents, its signature, and small files.

The archive is not trusted, because it is an upload, and is not unpacked. Every size and offset in it is compared with
a limit and with the file before it is used. PyPI has no reader to rely on: `xar` there runs another format of the same
name, and `dpp-py`, an alpha, unpacks without limits and knows no signatures.
"""

import base64
import bz2
import hashlib
import hmac
import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA512, HashAlgorithm

from devices.library.untrusted_xml import Path, UnreadableXml, scan
from devices.wire import cms
from devices.wire.errors import Malformed

MAGIC = b"xar!"
MEGABYTE = 1024 * 1024
HEADER = struct.Struct(">4sHHQQI")
LARGEST_HEADER = 4096
LARGEST_TABLE = 4 * MEGABYTE  # compressed
LARGEST_UNPACKED_TABLE = 32 * MEGABYTE
LARGEST_SIGNATURE = 64 * 1024
MOST_FOUND = 1000  # files that are asked for

DAMAGED = "The package is damaged: {}."
UNSIGNED = "The package is not signed."
BROKEN = "The signature of the package is not valid: {}."

# By the number in the header; Apple's archives have 3 for SHA-256, others have it for an algorithm that they name.
STYLES = {1: {"sha1"}, 3: {"sha256", "sha512"}, 4: {"sha512"}}
HASHES: dict[str, HashAlgorithm] = {"sha1": SHA1(), "sha256": SHA256(), "sha512": SHA512()}  # noqa: S303 - Apple's tools take SHA-1
NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
FILE, TOC = "file", ("xar", "toc")
AREAS = {"checksum", "signature", "x-signature"}


class UnreadablePackage(Exception):
    """The file is no package that an installer would take. The message is a reason for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(DAMAGED.format(reason))


@dataclass(slots=True)
class _Area:
    """A part of the heap. `style` is the kind of a checksum or signature, or how a file is packed."""

    style: str = ""
    offset: int = -1
    length: int = -1
    certificate: str = ""  # in Base64: the first one of a signature
    checksum: tuple[str, str] = ("", "")  # of a file as it is in the archive: kind and digits


@dataclass(slots=True)
class _Table:
    """What is read of the table of contents: the checksum and the signatures, and the files that are asked for."""

    wanted: Callable[[str], bool]
    areas: dict[str, _Area] = field(default_factory=dict)
    files: dict[str, _Area] = field(default_factory=dict)
    _names: list[str] = field(default_factory=list)  # of the files that are open
    _data: list[_Area] = field(default_factory=list)

    def begin(self, path: Path, attributes: dict[str, str]) -> None:
        style = attributes.get("style", "")
        match path:
            case (*_, "file"):
                self._names.append("")
                self._data.append(_Area())
            case (*outer, name) if tuple(outer) == TOC and name in AREAS:
                if name in self.areas:
                    raise UnreadablePackage(f"it has two of {name}")
                self.areas[name] = _Area(style)
            case (*_, "file", "data", "encoding"):
                self._data[-1].style = style
            case (*_, "file", "data", "archived-checksum"):
                self._data[-1].checksum = (style.lower(), "")

    def end(self, path: Path, text: str) -> None:
        match path:
            case (*_, "file"):
                self._close()
            case (*_, "file", "name"):
                self._names[-1] = text.strip()
            case (*_, "file", "data", "archived-checksum"):
                self._data[-1].checksum = (self._data[-1].checksum[0], text.strip().lower())
            case (*_, "file", "data", ("offset" | "length") as name):
                setattr(self._data[-1], name, _number(text))
            case (*outer, area, ("offset" | "size") as name) if tuple(outer) == TOC and area in AREAS:
                setattr(self.areas[area], "length" if name == "size" else name, _number(text))
            case (*outer, area, "KeyInfo", "X509Data", "X509Certificate") if tuple(outer) == TOC and area in AREAS:
                self.areas[area].certificate = self.areas[area].certificate or text

    def _close(self) -> None:
        path, data = "/".join(self._names), self._data.pop()
        self._names.pop()
        if not self.wanted(path) or data.offset < 0:
            return
        if path in self.files or len(self.files) >= MOST_FOUND:
            raise UnreadablePackage("it has a file twice, or too many files")
        self.files[path] = data


class Archive:
    """An archive with those of its files whose paths are `wanted`. Raises UnreadablePackage, here and in `content`."""

    def __init__(self, file: BinaryIO, wanted: Callable[[str], bool]) -> None:
        self._file = file
        self._size = file.seek(0, 2)
        start, packed, unpacked, self._algorithm = self._header()
        self._toc = self._read(start, packed)
        self._heap = start + packed
        self._table = _Table(wanted)
        scan_package("table of contents", _inflated(self._toc, unpacked), self._table.begin, self._table.end)

    @property
    def files(self) -> list[str]:
        """The paths of the files that were asked for."""
        return list(self._table.files)

    def content(self, path: str, maximum: int) -> bytes:
        """The unpacked content of a file of at most `maximum` bytes."""
        area = self._table.files[path]
        if area.length > maximum:
            raise UnreadablePackage(f"{path} is too large")
        packed = self._area(area)
        kind, digest = area.checksum
        if kind in HASHES and not hmac.compare_digest(_digest(kind, packed).hex().encode(), digest.encode()):
            raise UnreadablePackage(f"{path} is other than its checksum says")
        return _unpacked(path, packed, area.style, maximum)

    def unsigned(self) -> str:
        """Why the package is not a signed one; "" if it is.

        A signature counts if the checksum of the table of contents is right, and the first certificate in the package
        has signed it. Whether that certificate is one of Apple's cannot be judged here: the Mac decides, and refuses a
        package whose certificates lead to no authority that it trusts. The table has the checksums of all files; those
        of the large ones are compared by the Mac, too.
        """
        areas = self._table.areas
        if not areas.keys() & {"signature", "x-signature"}:
            return UNSIGNED
        checksum = areas.get("checksum")
        if checksum is None or checksum.style.lower() not in STYLES.get(self._algorithm, ()):
            return BROKEN.format("the package has no checksum that is safe")
        style = checksum.style.lower()
        if checksum.length > 64 or not hmac.compare_digest(self._area(checksum), _digest(style, self._toc)):
            return BROKEN.format("the table of contents is other than its checksum says")
        return self._broken(style, _digest(style, self._toc))

    def signer(self) -> str:
        """The common name of the certificate that `unsigned` has compared with."""
        areas = self._table.areas
        names = _certificate(areas.get("signature") or areas["x-signature"]).subject
        found = names.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return str(found[0].value) if found else names.rfc4514_string()

    def _broken(self, style: str, checksum: bytes) -> str:
        """Why no signature of the checksum is a valid one. A Mac compares with the first kind if both are there."""
        areas = self._table.areas
        try:
            if (area := areas.get("signature")) is not None:
                _verify_rsa(area, self._area(area, LARGEST_SIGNATURE), style, checksum)
            else:
                area = areas["x-signature"]
                signature = cms.parse_detached(self._area(area, LARGEST_SIGNATURE), padded=True)
                signature.verify(checksum, _certificate(area).public_key())
        except (ValueError, UnsupportedAlgorithm, Malformed, x509.InvalidVersion):
            return BROKEN.format("it cannot be read")
        except (InvalidSignature, cms.BadSignature):
            return BROKEN.format("the certificate in the package has not made it")
        return ""

    def _header(self) -> tuple[int, int, int, int]:
        """Where the table of contents begins, its size compressed and unpacked, and the number of the algorithm."""
        magic, size, version, packed, unpacked, algorithm = HEADER.unpack(self._read(0, HEADER.size))
        if magic != MAGIC or version != 1 or not HEADER.size <= size <= LARGEST_HEADER:
            raise UnreadablePackage("it does not begin as a package does")
        if packed > LARGEST_TABLE or unpacked > LARGEST_UNPACKED_TABLE:
            raise UnreadablePackage("its table of contents is too large")
        return size, packed, unpacked, algorithm

    def _area(self, area: _Area, most: int = LARGEST_UNPACKED_TABLE) -> bytes:
        if area.offset < 0 or not 0 <= area.length <= most:
            raise UnreadablePackage("its table of contents names an impossible place")
        return self._read(self._heap + area.offset, area.length)

    def _read(self, start: int, length: int) -> bytes:
        if start + length > self._size:
            raise UnreadablePackage("it ends too early")
        self._file.seek(start)
        data = self._file.read(length)
        if len(data) != length:
            raise UnreadablePackage("it ends too early")
        return data


def scan_package(name: str, data: bytes, begin: Callable[..., None], end: Callable[..., None]) -> None:
    """`scan` an XML document of a package. Raises UnreadablePackage."""
    try:
        scan(data, begin, end)
    except UnreadableXml as error:
        raise UnreadablePackage(f"{name} cannot be read, because {error}") from error


def _inflated(packed: bytes, size: int) -> bytes:
    inflater = zlib.decompressobj()
    try:
        data = inflater.decompress(packed, size + 1)
    except zlib.error as error:
        raise UnreadablePackage("its table of contents cannot be unpacked") from error
    if len(data) != size or not inflater.eof:
        raise UnreadablePackage("its table of contents is not as large as it says")
    return data


def _unpacked(path: str, packed: bytes, style: str, maximum: int) -> bytes:
    try:
        match style:
            case "application/octet-stream" | "":
                data = packed
            case "application/x-gzip":  # it is zlib's format, by the name of another
                data = zlib.decompressobj(wbits=47).decompress(packed, maximum + 1)
            case "application/x-bzip2":
                data = bz2.BZ2Decompressor().decompress(packed, maximum + 1)
            case _:
                raise UnreadablePackage(f"{path} is packed in an unknown way")
    except (zlib.error, OSError) as error:  # OSError is that of bz2
        raise UnreadablePackage(f"{path} cannot be unpacked") from error
    if len(data) > maximum:
        raise UnreadablePackage(f"{path} is too large")
    return data


def _verify_rsa(area: _Area, value: bytes, style: str, checksum: bytes) -> None:
    """Raises InvalidSignature, and the errors of a certificate that cannot be read."""
    key = _certificate(area).public_key()
    if area.style != "RSA" or not isinstance(key, rsa.RSAPublicKey):
        raise UnsupportedAlgorithm(area.style)
    hash = HASHES[style]
    try:
        key.verify(value, checksum, PKCS1v15(), Prehashed(hash))
    except InvalidSignature:
        key.verify(value, checksum, PKCS1v15(), hash)  # older tools have hashed the checksum once more


def _certificate(area: _Area) -> x509.Certificate:
    return x509.load_der_x509_certificate(base64.b64decode("".join(area.certificate.split()), validate=True))


def _digest(style: str, data: bytes) -> bytes:
    return hashlib.new(style, data, usedforsecurity=False).digest()


def _number(text: str) -> int:
    if not NUMBER.fullmatch(text.strip()):
        raise UnreadablePackage("its table of contents has no number where one belongs")
    return int(text)
