"""CPU time of a verification, by our own reader and with asn1crypto: `uv run --dev python -m tests.devices.wire.bench`.

Both verify the same signatures in the same run, in turns, so that the ratio means something on a busy machine.
"""

import sys
import time
from collections.abc import Callable

from asn1crypto import cms as asn1_cms
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, Hash

from devices.wire import cms
from tests.devices.wire.identities import rsa_identity

ROUNDS, CALLS = 10, 100
BODY = b"<plist><dict/></plist>" * 50
HASHES: dict[str, type[SHA1 | SHA256]] = {"sha1": SHA1, "sha256": SHA256}


def own(message: bytes, key: rsa.RSAPublicKey) -> None:
    signature = cms.parse_detached(message)
    assert signature.fingerprint
    signature.verify(BODY, key)


def with_asn1crypto(message: bytes, key: rsa.RSAPublicKey) -> None:
    signed = asn1_cms.ContentInfo.load(message)["content"]
    signer = signed["signer_infos"][0]
    named = signer["sid"].chosen
    wanted = named["serial_number"].native, named["issuer"].dump()
    certificates = [each.chosen for each in signed["certificates"]]
    assert any((each.serial_number, each.issuer.dump()) == wanted for each in certificates)
    hash = HASHES[signer["digest_algorithm"]["algorithm"].native]
    content = BODY
    if signer["signed_attrs"]:
        attributes = {each["type"].native: each["values"][0] for each in signer["signed_attrs"]}
        digest = Hash(hash())
        digest.update(BODY)
        assert attributes["message_digest"].native == digest.finalize()
        content = signer["signed_attrs"].untag().dump()
    key.verify(signer["signature"].native, content, padding.PKCS1v15(), hash())


def milliseconds(verify: Callable[[bytes, rsa.RSAPublicKey], None], message: bytes, key: rsa.RSAPublicKey) -> float:
    began = time.process_time()
    for _ in range(CALLS):
        verify(message, key)
    return (time.process_time() - began) * 1000 / CALLS


def main() -> None:
    identity = rsa_identity("device")
    key = identity.key.public_key()
    for digest, attributes, indefinite in (("sha1", False, True), ("sha256", True, False)):
        message = cms.sign_detached(
            BODY, identity.certificate, identity.key, digest=digest, attributes=attributes, indefinite=indefinite
        )
        rounds = [(milliseconds(own, message, key), milliseconds(with_asn1crypto, message, key)) for _ in range(ROUNDS)]
        ours, theirs = (min(times) for times in zip(*rounds, strict=True))
        sys.stdout.write(
            f"{digest}, {'with' if attributes else 'without'} attributes, {'BER' if indefinite else 'DER'}: "
            f"own {ours:.3f} ms, asn1crypto {theirs:.3f} ms, ratio {theirs / ours:.1f}\n"
        )


if __name__ == "__main__":
    main()
