"""The certificates and server tokens of enrollment and Apple MDM that expire, for `doctor`."""

from collections.abc import Iterator
from datetime import datetime

from cryptography import x509

from access.maintenance.expiries import Expiring
from devices.models import AdeIntegration, AdeKeyPair, MdmAuthority, PushCertificate

REPLACED = "An administrator of the organization replaces it, under Settings."


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
    pushing = PushCertificate.objects.filter(not_after__lt=before, tenant__active=True, simulated=False)
    for row in pushing.exclude(certificate="").select_related("tenant").order_by("not_after"):
        if row.not_after:
            yield Expiring(
                f"The Apple push certificate of {row.tenant.subdomain}",
                row.not_after,
                "An administrator of the organization renews it, under Settings. Without it no device can be woken.",
            )
    own = MdmAuthority.objects.filter(not_after__lt=before, tenant__active=True, retired_at=None)
    for authority in own.select_related("tenant").order_by("not_after"):
        yield Expiring(
            f"The MDM certificate of {authority.tenant.subdomain} that {_lower(authority.get_purpose_display())}",
            authority.not_after,
            REPLACED if authority.purpose == MdmAuthority.Purpose.DEVICES else "It has to be replaced before then.",
        )


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
