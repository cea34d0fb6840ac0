"""The certificates of a simulated push service: its own, and those that it issues to its clients."""

import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes, CertificatePublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

YEAR = timedelta(days=365)
SIGNS = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


class Authority:
    """A certificate authority that exists in memory alone."""

    def __init__(self, name: str = "Simulated push authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(self._name, self._key.public_key(), timedelta())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.certificate = builder.add_extension(SIGNS, critical=True).sign(self._key, SHA256())
        self.pem = self.certificate.public_bytes(Encoding.PEM)

    def issue(
        self, key: rsa.RSAPublicKey, topic: str, *, age: timedelta = timedelta(), lifetime: timedelta = YEAR
    ) -> x509.Certificate:
        """Issue a push certificate for a topic, as Apple does for a request. `age` says how long ago."""
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.USER_ID, topic),
                x509.NameAttribute(NameOID.COMMON_NAME, f"APSP:{topic.removeprefix('com.apple.mgmt.External.')}"),
                x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            ]
        )
        builder = self._builder(name, key, age, lifetime)
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        return builder.add_extension(usage, critical=False).sign(self._key, SHA256())

    def server_context(
        self, names: Sequence[str] = ("localhost", "127.0.0.1"), *, clients_of: "Authority | None" = None
    ) -> ssl.SSLContext:
        """TLS of a server of these names, which demands certificates of this authority, or another, from clients."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        builder = self._builder(subject, key.public_key(), timedelta()).add_extension(alternatives, critical=False)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_verify_locations(cadata=(clients_of or self).pem.decode())
        context.verify_mode = ssl.CERT_REQUIRED
        _load(context, builder.sign(self._key, SHA256()), key)
        return context

    def _builder(
        self, subject: x509.Name, key: CertificatePublicKeyTypes, age: timedelta, lifetime: timedelta = YEAR
    ) -> x509.CertificateBuilder:
        start = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1) - age
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + lifetime)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )


async def refuse(reader: StreamReader, writer: StreamWriter, context: ssl.SSLContext) -> None:
    """Begin TLS as a server, and end with the alert that it sends if it does not accept the client's certificate.

    asyncio's own server closes the connection without the alert.
    """
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(received, sent, server_side=True)
    try:
        while True:
            with suppress(ssl.SSLWantReadError):
                tls.do_handshake()
                return
            writer.write(sent.read())
            received.write(await reader.read(65536))
    except (ssl.SSLError, OSError):
        writer.write(sent.read())
    finally:
        writer.close()


def _load(context: ssl.SSLContext, certificate: x509.Certificate, key: CertificateIssuerPrivateKeyTypes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "server.pem"
        path.write_bytes(
            certificate.public_bytes(Encoding.PEM)
            + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        context.load_cert_chain(path)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
