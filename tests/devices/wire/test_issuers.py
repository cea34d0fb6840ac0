"""Whether an authority has issued a certificate."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from devices.wire.issuers import Issuer, check_chain
from tests.devices.wire.identities import certificate, ec_identity, rsa_identity, rsa_key


@pytest.mark.parametrize("authority", [rsa_identity, ec_identity], ids=["rsa", "ecdsa"])
def test_a_certificate_with_its_name_and_its_signature(authority: Any) -> None:
    known, other = authority("authority"), ec_identity("stranger")
    issuer, key = Issuer.of(known.certificate), rsa_key("device").public_key()
    assert issuer.has_issued(certificate("device", key, "authority", known.key))
    assert not issuer.has_issued(certificate("device", key, "authority", other.key))
    assert not issuer.has_issued(certificate("device", key, "stranger", known.key))  # it names another authority
    assert not Issuer(known.certificate.subject, other.key.public_key()).has_issued(known.certificate)


def test_a_chain() -> None:
    root, device = rsa_identity("root"), rsa_key("device").public_key()
    middle = certificate("middle", ec_identity("middle").key.public_key(), "root", root.key)
    leaf = certificate("leaf", device, "middle", ec_identity("middle").key)
    check_chain([leaf, middle, root.certificate])
    for broken in ([leaf, root.certificate], [leaf, middle], [middle, leaf, root.certificate]):
        with pytest.raises(ValueError, match="another authority"):
            check_chain(broken)


def test_a_key_that_no_authority_has() -> None:
    key: Any = ed25519.Ed25519PrivateKey.generate().public_key()
    with pytest.raises(ValueError, match="RSA or ECDSA"):
        Issuer.of(certificate("odd", key, "authority", rsa_key("authority")))
