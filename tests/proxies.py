"""A proxy on this machine that opens tunnels: whatever is asked for, they lead to one server."""

import socket
import threading
from dataclasses import dataclass, field
from typing import Self


@dataclass
class ConnectProxy:
    """`asked` are the targets of the tunnels, `heads` the whole requests. With `answer` it opens none."""

    to: int  # the port that every tunnel leads to
    answer: bytes = b""
    silent: bool = False
    asked: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(65536) or b"\r\n\r\n"
            if not head.startswith(b"CONNECT "):
                return  # `doctor` only looks whether the proxy is there
            self.heads.append(head.decode())
            self.asked.append(head.decode().split(" ")[1])
            if self.silent:
                client.recv(1)
                return
            if self.answer:
                client.sendall(self.answer)
                return
            with socket.create_connection(("127.0.0.1", self.to)) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy.test\r\n\r\n")
                back = threading.Thread(target=_pass_on, args=(server, client), daemon=True)
                back.start()
                _pass_on(client, server)
                back.join(10)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return
