"""SCEP: a request and its answer, refusals, and a client of another project."""

import base64
import shutil
import subprocess
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from random import Random
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.wire import cms, der, scep, scep_client
from devices.wire.envelopes import Recipient, seal_envelope
from devices.wire.errors import Malformed
from tests.deploy import NO_PROGRAM
from tests.devices.wire.identities import certificate, name, rsa_identity, rsa_key

pytestmark = pytest.mark.sqlite_only  # no database

CHALLENGE = "v1." + "a" * 200


def authority(label: str = "authority") -> Recipient:
    identity = rsa_identity(label)
    return Recipient(identity.certificate, identity.key)


def signer(label: str = "client") -> Recipient:
    return scep_client.self_signed(rsa_key(label), name("device"))


def csr(label: str = "client", challenge: str = CHALLENGE) -> bytes:
    return scep_client.make_csr(rsa_key(label), name("device"), challenge)


def refusal(message: bytes) -> scep.Failure:
    with pytest.raises(scep.Refused) as refused:
        scep.read_request(message, [authority()])
    return refused.value.failure


@pytest.mark.parametrize("cipher", ["aes128", "aes256", "3des"])
@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha512"])
def test_a_client_gets_its_certificate(cipher: str, digest: str) -> None:
    ours = authority()
    pending = scep_client.make_request(csr(), signer(), ours.certificate, digest=digest, cipher=cipher)
    request = scep.read_request(pending.message, [authority("newer"), ours])
    assert (request.challenge, request.authority, request.cipher) == (CHALLENGE, ours, cipher)
    assert request.envelope == scep.Envelope(pending.transaction, pending.nonce, pending.signer.certificate)
    assert request.csr.public_bytes(Encoding.DER) == csr()
    issued = certificate("issued", rsa_key("client").public_key(), "authority", ours.key)
    reply = scep_client.read_reply(scep.success(request, issued), pending, ours.certificate)
    assert reply == scep_client.Reply(issued, None)
    refused = scep.failure(request.envelope, scep.Failure.BAD_REQUEST, ours)
    assert scep_client.read_reply(refused, pending, ours.certificate).failure is scep.Failure.BAD_REQUEST


def test_an_answer_is_for_one_request_and_of_the_authority() -> None:
    ours = authority()
    one, two = (scep_client.make_request(csr(), signer(), ours.certificate) for _ in range(2))
    request = scep.read_request(one.message, [ours])
    answer = scep.success(request, ours.certificate)
    with pytest.raises(Malformed):
        scep_client.read_reply(answer, two, ours.certificate)
    with pytest.raises(cms.BadSignature):
        scep_client.read_reply(answer, one, authority("newer").certificate)


def test_requests_that_are_refused() -> None:
    ours = authority()
    make, bad = scep_client.make_request, scep.Failure
    for message_type in ("20", "21", "22", "3"):
        assert refusal(make(csr(), signer(), ours.certificate, message_type=message_type).message) is bad.BAD_REQUEST
    # for another authority; with something else inside; with a request that is signed by another key
    assert refusal(make(csr(), signer(), authority("newer").certificate).message) is bad.BAD_MESSAGE_CHECK
    assert refusal(make(b"no request", signer(), ours.certificate).message) is bad.BAD_MESSAGE_CHECK
    damaged = csr()[:-1] + bytes([csr()[-1] ^ 1])
    assert refusal(make(damaged, signer(), ours.certificate).message) is bad.BAD_MESSAGE_CHECK
    assert refusal(make(csr(), signer(), ours.certificate, cipher="des").message) is bad.BAD_MESSAGE_CHECK
    # the key of another client; no challenge; a challenge that is too long
    assert refusal(make(csr("other"), signer(), ours.certificate).message) is bad.BAD_REQUEST
    assert refusal(make(csr(challenge=""), signer(), ours.certificate).message) is bad.BAD_REQUEST
    assert refusal(make(csr(challenge="a" * 1001), signer(), ours.certificate).message) is bad.BAD_REQUEST
    without = x509.CertificateSigningRequestBuilder().subject_name(name("device"))
    for digest, failure in ((hashes.SHA256(), bad.BAD_REQUEST), (hashes.SHA224(), bad.BAD_ALGORITHM)):
        made = without.sign(rsa_key("client"), digest).public_bytes(Encoding.DER)
        assert refusal(make(made, signer(), ours.certificate).message) is failure


def test_signers_that_are_refused() -> None:
    ours, bad = authority(), scep.Failure
    issued = certificate("device", rsa_key("client").public_key(), "authority", ours.key)
    lying = certificate("device", rsa_key("client").public_key(), "device", ours.key)
    for signed in (issued, lying):
        message = scep_client.make_request(csr(), Recipient(signed, rsa_key("client")), ours.certificate).message
        assert refusal(message) is bad.BAD_MESSAGE_CHECK
    for key in (rsa.generate_private_key(65537, 1024), ec.generate_private_key(ec.SECP256R1())):
        weak = certificate("device", key.public_key(), "device", key)
        message = scep_client.make_request(csr(), Recipient(weak, key), ours.certificate).message  # type: ignore[arg-type]
        assert refusal(message) is bad.BAD_ALGORITHM
    forged = scep_client.make_request(csr(), Recipient(signer().certificate, rsa_key("other")), ours.certificate)
    assert refusal(forged.message) is bad.BAD_MESSAGE_CHECK


@pytest.mark.parametrize(
    "missing", [scep.MESSAGE_TYPE, scep.TRANSACTION, scep.SENDER_NONCE], ids=["type", "id", "nonce"]
)
def test_a_request_that_cannot_be_answered_is_malformed(missing: bytes) -> None:
    every = {
        scep.MESSAGE_TYPE: der.printable("19"),
        scep.TRANSACTION: der.printable("1"),
        scep.SENDER_NONCE: der.octets(b"1"),
    }
    content, client = seal_envelope(csr(), authority().certificate), signer()
    assert scep.read_request(cms.sign(content, client.certificate, client.key, attributes=every), [authority()])
    for odd in (None, der.null(), der.printable(""), der.octets(b""), der.printable("1" * 256), der.octets(b"1" * 65)):
        attributes = {**every, missing: odd} if odd else {name: every[name] for name in every if name != missing}
        message = cms.sign(content, client.certificate, client.key, attributes=attributes)
        with pytest.raises(Malformed):
            scep.read_request(message, [authority()])


def test_a_damaged_request_is_malformed_or_refused() -> None:
    message = scep_client.make_request(csr(), signer(), authority().certificate).message
    random = Random(4711)
    for _ in range(400):
        damaged = bytearray(message)
        damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
        with suppress(Malformed, scep.Refused):
            assert scep.read_request(bytes(damaged), [authority()]).challenge == CHALLENGE
    for end in range(0, len(message), 13):
        with pytest.raises(Malformed):
            scep.read_request(message[:end], [authority()])


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_content_under_a_good_signature_is_refused(content: bytes) -> None:
    client = signer()
    attributes = {scep.MESSAGE_TYPE: der.printable("19"), scep.TRANSACTION: der.printable("1")}
    attributes[scep.SENDER_NONCE] = der.octets(b"1")
    for inside in (content, seal_envelope(content, authority().certificate)):
        message = cms.sign(inside, client.certificate, client.key, attributes=attributes)
        assert refusal(message) is scep.Failure.BAD_MESSAGE_CHECK
    with pytest.raises(Malformed):
        scep.read_request(content, [authority()])


def test_the_message_of_a_get() -> None:
    message = bytes(range(256))
    encoded = base64.b64encode(message).decode()
    assert "+" in encoded
    assert scep.message_of(encoded) == scep.message_of(encoded.replace("+", " ")) == message
    for wrong in ("a", "é", "====", "A" * (2 * 65536 + 4)):
        with pytest.raises(Malformed):
            scep.message_of(wrong)


class _Server(BaseHTTPRequestHandler):
    """A SCEP server on loopback: any challenge but "wrong" is right."""

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        if query["operation"] == ["GetCACaps"]:
            self.answer(scep.CAPABILITIES, "text/plain")
        elif query["operation"] == ["GetCACert"]:
            self.answer(authority().certificate.public_bytes(Encoding.DER), "application/x-x509-ca-cert")
        else:
            self.operate(scep.message_of(query["message"][0]))

    def do_POST(self) -> None:
        self.operate(self.rfile.read(int(self.headers["Content-Length"])))

    def operate(self, message: bytes) -> None:
        request = scep.read_request(message, [authority()], single_des=True)
        if request.challenge == "wrong":
            answer = scep.failure(request.envelope, scep.Failure.BAD_REQUEST, authority())
        else:
            key = request.csr.public_key()
            assert isinstance(key, rsa.RSAPublicKey)
            answer = scep.success(request, certificate("issued", key, "authority", authority().key))
        self.answer(answer, "application/x-pki-message")

    def answer(self, body: bytes, type: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.parametrize("challenge", [CHALLENGE, "wrong"], ids=["right", "wrong"])
def test_a_client_of_another_project_gets_its_certificate(tmp_path: Path, challenge: str) -> None:
    """Debian's package `scep`, of the micromdm project."""
    if (client := shutil.which("scepclient")) is None:
        pytest.skip(NO_PROGRAM)
    server = HTTPServer(("127.0.0.1", 0), _Server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/scep"
        command = [client, "-server-url", url, "-private-key", "key.pem", "-certificate", "certificate.pem"]
        command += ["-challenge", challenge, "-cn", "foreign"]
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=60)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    if challenge == "wrong":
        assert ended.returncode != 0
        assert not (tmp_path / "certificate.pem").exists()
    else:
        assert ended.returncode == 0, ended.stderr
        issued = x509.load_pem_x509_certificate((tmp_path / "certificate.pem").read_bytes())
        assert issued.subject == name("issued")
        issued.verify_directly_issued_by(authority().certificate)
