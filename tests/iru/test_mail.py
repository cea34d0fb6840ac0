"""EMAIL_URL as a mail server sees it: what asks for TLS never sends in clear."""

import os
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only]

ROOT = Path(__file__).parents[2]


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"220 mail.test\r\n")
        in_message = False
        while line := self.rfile.readline():
            self.server.lines.append(line)  # type: ignore[attr-defined]
            if in_message:
                if line != b".\r\n":
                    continue
                in_message = False
            words = line.upper().split()
            match words[0] if words else b"":
                case b"DATA":
                    in_message = True
                    self.wfile.write(b"354 Go on\r\n")
                case b"STARTTLS":
                    self.wfile.write(b"502 Not here\r\n")
                case b"QUIT":
                    self.wfile.write(b"221 Bye\r\n")
                    return
                case _:
                    self.wfile.write(b"250 mail.test\r\n")


class MailServer(socketserver.ThreadingTCPServer):
    """A mail server without TLS, which takes every message. `lines` is what it was sent in clear."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.lines: list[bytes] = []


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    with MailServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize(("scheme", "sent"), [("smtp", True), ("smtp+tls", False), ("smtp+ssl", False)])
def test_tls_that_was_asked_for_is_used_or_nothing_is_sent(
    mail_server: MailServer, tmp_path: Path, scheme: str, sent: bool
) -> None:
    url = f"{scheme}://user:hush@127.0.0.1:{mail_server.server_address[1]}"
    if sent:
        url = url.replace("user:hush@", "")  # the server above asks for no password
    run = subprocess.run(
        [sys.executable, "manage.py", "sendtestemail", "ana@accuhive.test"],
        cwd=ROOT,
        env={**os.environ, "EMAIL_URL": url, "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    clear = b"".join(mail_server.lines)
    assert clear  # it spoke to the server, whatever came of it
    assert (run.returncode == 0) == sent, run.stderr
    assert (b"Subject:" in clear) == sent
    assert (b"ana@accuhive.test" in clear) == sent
    assert b"AUTH" not in clear
