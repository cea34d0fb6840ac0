"""TLS with a push certificate, and the way to APNs through the proxy."""

import asyncio
import io
import os
import ssl
from asyncio import StreamReader, StreamWriter
from pathlib import Path
from tempfile import NamedTemporaryFile

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from access.outgoing import LONGEST_HEAD, Proxy, ProxyRefused, expect_tunnel, new_tls_context


def push_context(certificate: x509.Certificate, key: RSAPrivateKey) -> ssl.SSLContext:
    """Return the TLS of connections that show the certificate, and trust the authorities that all our connections do.

    Raises ssl.SSLError if the two are no pair.
    """
    context = new_tls_context()
    context.set_alpn_protocols(["h2"])
    # Python's ssl reads a private key from a file alone. NamedTemporaryFile has mode 0600; its content is encrypted as
    # well, because a process that is killed here leaves the file.
    password = os.urandom(16).hex().encode()
    with NamedTemporaryFile(prefix="push-", suffix=".pem") as file:
        file.write(certificate.public_bytes(Encoding.PEM))
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password)))
        file.flush()
        context.load_cert_chain(Path(file.name), password=password)
    return context


async def connect(
    host: str, port: int, context: ssl.SSLContext, proxy: Proxy | None
) -> tuple[StreamReader, StreamWriter]:
    """Open TLS with a server, in a tunnel of the proxy if there is one. Raises OSError."""
    if proxy is None:
        return await asyncio.open_connection(host, port, ssl=context)
    reader, writer = await asyncio.open_connection(proxy.host, proxy.port, limit=LONGEST_HEAD)
    try:
        writer.write(proxy.request(host, port))
        # The server speaks only after our first byte of TLS, so this reads nothing of its own.
        head = await reader.readuntil(b"\r\n\r\n")
        expect_tunnel(io.BytesIO(head).read)
        await writer.start_tls(context, server_hostname=host)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        writer.transport.abort()
        raise ProxyRefused("The proxy did not answer as HTTP says.") from None
    except BaseException:
        writer.transport.abort()
        raise
    return reader, writer
