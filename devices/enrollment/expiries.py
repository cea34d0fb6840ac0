"""The certificates and server tokens of Automated Device Enrollment that expire, for `doctor`."""

from collections.abc import Iterator
from datetime import datetime

from cryptography import x509

from access.maintenance.expiries import Expiring
from devices.models import AdeIntegration, AdeKeyPair


def list_expiring(before: datetime) -> Iterator[Expiring]:
    """Those that expire before that moment, in every active tenant."""
    tokens = AdeIntegration.objects.filter(access_token_expiry__lt=before, tenant__active=True).exclude(ciphertext=None)
    for token in tokens.select_related("tenant").order_by("access_token_expiry"):
        yield Expiring(
            f"The server token {token.server_name} of {token.tenant.subdomain}",
            token.access_token_expiry,
            "An administrator of the organization renews it at Apple, under Automated Device Enrollment.",
        )
    for pair in AdeKeyPair.objects.filter(tenant__active=True).select_related("tenant"):
        at = x509.load_pem_x509_certificate(pair.certificate.encode()).not_valid_after_utc
        if at < before:
            yield Expiring(
                f"The certificate for server tokens of {pair.tenant.subdomain}",
                at,
                "Apple then refuses it: delete the key pair, download the new one, and upload it at Apple.",
            )
