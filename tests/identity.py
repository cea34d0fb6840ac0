"""An OpenID Connect provider on this machine, at `https://localhost:<port>`. It asks for no password."""

import base64
import hashlib
import json
import ssl
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CLIENT, SECRET = "iru-endpoint", "a client secret"


class IdentityProvider:
    """`claims` are those of the person who signs in next. `changes` to the ID token, and other answers, break it.

    Its sign-in page asks nothing: it sends the browser back at once. It checks what a provider checks: the client, its
    secret, the redirect URI, that a code is used once, and the proof key.
    """

    def __init__(self, port: int) -> None:
        self.issuer = f"https://localhost:{port}"
        self.claims: dict[str, Any] = {"sub": "u-1", "email": "ada@accuhive.example", "email_verified": True}
        self.changes: dict[str, Any] = {}
        self.configuration: dict[str, Any] = {}
        self.token_answer: dict[str, Any] | str | None = None
        self.userinfo: dict[str, Any] = {}
        self.asked: list[dict[str, str]] = []
        self.requests: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}

    def document(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/keys",
            **self.configuration,
        }

    def authorize(self, query: dict[str, str]) -> str:
        """Where the browser is sent, once the person has signed in."""
        self.asked.append(query)
        code = uuid.uuid4().hex
        self._codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query.get('state', '')})}"

    def token(self, form: dict[str, str]) -> tuple[int, Any]:
        if self.token_answer is not None:
            return 200, self.token_answer
        begun = self._codes.pop(form.get("code", ""), None)
        proof = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=")
        if (
            begun is None
            or (form.get("client_id"), form.get("client_secret")) != (CLIENT, SECRET)
            or form.get("redirect_uri") != begun["redirect_uri"]
            or begun.get("code_challenge") != proof.decode()
        ):
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, **self.claims}
        if "max_age" in begun:
            claims["auth_time"] = now
        claims = {name: value for name, value in {**claims, **self.changes}.items() if value is not None}
        token = jwt.encode(claims, KEY, algorithm="RS256", headers={"kid": "1"})
        return 200, {"access_token": "opaque", "token_type": "Bearer", "id_token": token}


def _handler(provider: IdentityProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            provider.requests.append(parts.path)
            match parts.path:
                case "/authorize":
                    self.send_response(302)
                    self.send_header("Location", provider.authorize(query))
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                case "/.well-known/openid-configuration":
                    self._answer(200, provider.document())
                case "/userinfo":
                    self._answer(200, provider.userinfo)
                case _:
                    self._answer(404, {})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            provider.requests.append(self.path)
            self._answer(*provider.token({name: values[0] for name, values in parse_qs(body).items()}))

        def _answer(self, status: int, body: Any) -> None:
            data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def serve(certificate: Path) -> Iterator[IdentityProvider]:
    """The provider, served with this certificate of `localhost`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    provider = IdentityProvider(server.server_port)
    server.RequestHandlerClass = _handler(provider)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
