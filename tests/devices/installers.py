"""Writes installer packages for tests: XAR archives like those of productbuild, signed as productsign signs them."""

import base64
import bz2
import hashlib
import struct
import zlib
from dataclasses import dataclass, field, replace
from xml.sax.saxutils import escape, quoteattr

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from devices.wire import cms
from tests.devices.wire.identities import rsa_identity

NAME = "Developer ID Installer: Accuhive (TEAM123456)"
HASHES = {"sha1": (1, SHA1()), "sha256": (3, SHA256())}
STYLES = {"gzip": "application/x-gzip", "bzip2": "application/x-bzip2", "plain": "application/octet-stream"}
ROOM = {"RSA": 256, "CMS": 4096}  # zeros fill that of CMS, as with productsign


@dataclass(frozen=True)
class Bundle:
    """A bundle in a component. The path is below the location of the component."""

    identifier: str = "com.accuhive.vpn"
    version: str = "4.2"
    build: str = "420"
    path: str = "./Accuhive VPN.app"

    @property
    def xml(self) -> str:
        short = f" CFBundleShortVersionString={quoteattr(self.version)}" if self.version else ""
        build = f" CFBundleVersion={quoteattr(self.build)}" if self.build else ""
        return f"<bundle path={quoteattr(self.path)} id={quoteattr(self.identifier)}{short}{build}/>"


@dataclass(frozen=True, eq=False)
class Installer:
    """A package. `data` is its bytes; the fields say how it differs from a usual one."""

    bundles: tuple[Bundle, ...] = (Bundle(),)
    location: str = "/Applications"
    distribution: str | None = None  # the text, instead of the usual one; "" for a component alone
    title: str = "Accuhive VPN"
    version: str = "4.2.0"  # of the product
    component: str = "4.2"  # the version of the component
    minimum: str = "13.0"
    checksum: str = "sha256"
    signatures: tuple[str, ...] = ("RSA", "CMS")
    encoding: str = "gzip"
    payload: bytes = b"payload"
    files: dict[str, bytes] = field(default_factory=dict)  # more of them, by their paths
    signer: str = NAME  # the name of the certificate whose key signs
    named: str = NAME  # that of the certificate in the package

    @property
    def contents(self) -> dict[str, bytes]:
        info = (
            f'<pkg-info identifier="com.accuhive.vpn.pkg" version={quoteattr(self.component)}'
            f" install-location={quoteattr(self.location)}>"
            f'<payload numberOfFiles="9"/>{"".join(bundle.xml for bundle in self.bundles)}'
            f'<bundle-version><bundle id="com.accuhive.vpn"/></bundle-version></pkg-info>'
        )
        usual = (
            '<?xml version="1.0" encoding="utf-8"?><installer-gui-script minSpecVersion="2">'
            f"<title>{escape(self.title)}</title>"
            f'<product id="com.accuhive.vpn.product" version={quoteattr(self.version)}/>'
            "<volume-check><allowed-os-versions>"
            f"<os-version min={quoteattr(self.minimum)}/></allowed-os-versions></volume-check>"
            '<pkg-ref id="com.accuhive.vpn.pkg" version="4.2">#vpn.pkg</pkg-ref></installer-gui-script>'
        )
        text = usual if self.distribution is None else self.distribution
        folder = "vpn.pkg/" if text else ""
        own = {f"{folder}PackageInfo": info.encode(), f"{folder}Payload": self.payload, **self.files}
        return {"Distribution": text.encode(), **own} if text else own

    @property
    def data(self) -> bytes:
        return archive(self)

    def but(self, **changes: object) -> "Installer":
        return replace(self, **changes)  # type: ignore[arg-type]


def archive(installer: Installer) -> bytes:
    """The bytes of the package."""
    packed = {path: (_packed(path, content, installer.encoding)) for path, content in installer.contents.items()}
    size = hashlib.new(installer.checksum).digest_size
    areas, offset = [(("checksum", installer.checksum), 0, size)], size
    for style in installer.signatures:
        areas.append((("signature" if style == "RSA" else "x-signature", style), offset, ROOM[style]))
        offset += ROOM[style]
    toc = table(areas, packed, offset, rsa_identity(installer.named).certificate)
    checksum = hashlib.new(installer.checksum, zlib.compress(toc)).digest()
    heap = checksum + b"".join(_signature(style, checksum, installer) for style in installer.signatures)
    return wrapped(toc, heap + b"".join(data for data, _, _ in packed.values()), HASHES[installer.checksum][0])


def wrapped(toc: bytes, heap: bytes, algorithm: int = 1, *, compressed: bytes | None = None, **header: int) -> bytes:
    """An archive of a table of contents and a heap, with a header that says the truth, or what is given."""
    data = zlib.compress(toc) if compressed is None else compressed
    said = {"size": 28, "version": 1, "packed": len(data), "unpacked": len(toc), **header}
    values = (said["size"], said["version"], said["packed"], said["unpacked"], algorithm)
    return struct.pack(">4sHHQQI", b"xar!", *values) + data + heap


def table(
    areas: list[tuple[tuple[str, str], int, int]],
    files: dict[str, tuple[bytes, int, str]],
    start: int,
    named: x509.Certificate,
) -> bytes:
    """The table of contents, whose files begin at `start` in the heap."""
    encoded = base64.encodebytes(named.public_bytes(Encoding.DER)).decode()
    keys = f"<KeyInfo><X509Data><X509Certificate>{encoded}</X509Certificate></X509Data></KeyInfo>"
    texts = [
        f'<{name} style="{style}"><offset>{offset}</offset><size>{size}</size>'
        f"{'' if name == 'checksum' else keys}</{name}>"
        for (name, style), offset, size in areas
    ]
    for number, (path, (data, size, style)) in enumerate(files.items()):
        *folders, name = path.split("/")
        digest = hashlib.sha1(data).hexdigest()
        texts += [f'<file id="{number}{level}"><name>{each}</name>' for level, each in enumerate([*folders, name])]
        texts.append(
            f"<type>file</type><data><length>{len(data)}</length><offset>{start}</offset><size>{size}</size>"
            f'<encoding style="{style}"/><archived-checksum style="sha1">{digest}</archived-checksum></data>'
        )
        texts += ["</file>"] * (len(folders) + 1)
        start += len(data)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<xar><toc>{"".join(texts)}</toc></xar>'.encode()


def _packed(path: str, content: bytes, encoding: str) -> tuple[bytes, int, str]:
    if path.endswith("Payload"):
        return content, len(content), STYLES["plain"]
    packed = {"gzip": zlib.compress(content), "bzip2": bz2.compress(content), "plain": content}[encoding]
    return packed, len(content), STYLES[encoding]


def _signature(style: str, checksum: bytes, installer: Installer) -> bytes:
    signer = rsa_identity(installer.signer)
    if style == "RSA":
        return signer.key.sign(checksum, PKCS1v15(), Prehashed(HASHES[installer.checksum][1]))
    signed = cms.sign_detached(checksum, signer.certificate, signer.key, digest="sha256", attributes=True)
    return signed.ljust(ROOM[style], b"\0")
