"""Mail by SMTP, through the proxy and with the authorities of `access.outgoing`."""

import smtplib
import socket
import ssl
from typing import Any

from django.core.mail.backends.smtp import EmailBackend
from django.utils.functional import cached_property

from access.outgoing import authorities, proxy_for, tls_context


class _Tunnelled(smtplib.SMTP):
    def _get_socket(self, host: str, port: int, timeout: float | None) -> socket.socket:
        proxy = proxy_for(host)
        if proxy is None:
            return super()._get_socket(host, port, timeout)  # type: ignore[misc, no-any-return]
        return proxy.connect(host, port, timeout)


class _TunnelledTls(smtplib.SMTP_SSL, _Tunnelled):
    """smtplib's own speaks TLS on the socket that the next class in this order has opened."""


class SmtpBackend(EmailBackend):
    @property
    def connection_class(self) -> Any:
        return _TunnelledTls if self.use_ssl else _Tunnelled

    @cached_property
    def ssl_context(self) -> ssl.SSLContext:
        return tls_context() if authorities() else ssl.create_default_context()
