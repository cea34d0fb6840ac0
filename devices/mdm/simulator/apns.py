"""A simulated Apple push service: HTTP/2 and TLS on this machine, with each fault that the real one can have."""

import asyncio
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Self

from cryptography import x509
from cryptography.x509.oid import NameOID
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    PingReceived,
    RequestReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame, HeadersFrame

from devices.mdm.simulator.authority import Authority, refuse
from devices.mdm.simulator.requests import Answer, Received, check

type Handler = Callable[[Received], Answer | Awaitable[Answer | None] | None]


@dataclass
class Faults:
    """What goes wrong. Lists have an entry for each connection, in order; later ones have no such fault."""

    answers: dict[bytes, Answer] = field(default_factory=dict)  # by token
    silent: set[bytes] = field(default_factory=set)  # tokens whose pushes are not answered
    reset: set[bytes] = field(default_factory=set)  # tokens whose pushes are answered with RST_STREAM
    raw: dict[bytes, bytes] = field(default_factory=dict)  # by token: these bytes instead of an answer
    torn: set[bytes] = field(default_factory=set)  # half of the head of the answer is sent, and the connection dropped
    goaway_after: list[int] = field(default_factory=list)  # requests; those that come later are not processed
    goaway_reason: str = "Shutdown"
    drop_after: list[int] = field(default_factory=list)  # requests
    close_before_settings: int = 0  # so many connections
    refuse_certificates: bool = False  # by an alert of TLS
    mute: bool = False  # TLS, and no byte more
    no_pongs: bool = False
    alpn: str = "h2"
    max_streams: int = 1000
    window: int = 65535  # of a request's body, in bytes


class SimulatedApns:
    """Calls `handler` for each push that arrives, and sends its answer, or 200 for None.

    `received` are the pushes that were processed, `complaints` the faults in requests.
    """

    def __init__(
        self, handler: Handler | None = None, *, faults: Faults | None = None, authority: Authority | None = None
    ) -> None:
        self.authority = authority or Authority()
        self.faults = faults or Faults()
        self.received: list[Received] = []
        self.complaints: list[Answer] = []
        self.connections = 0  # so far
        self.pings = 0
        self.handler = handler
        self._open: dict[asyncio.Task[None], StreamWriter] = {}

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self, port: int = 0) -> None:
        """Listen on 127.0.0.1. `port` says where, once this has returned."""
        context = self.authority.server_context()
        context.set_alpn_protocols([self.faults.alpn])
        if self.faults.refuse_certificates:
            self._server = await asyncio.start_server(self._refuse, "127.0.0.1", port)
        else:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, ssl=context)
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop, and drop what is connected."""
        self._server.close()
        await self.drop()

    async def drop(self) -> None:
        """Drop all connections, as a broken network does."""
        for task, writer in list(self._open.items()):
            writer.transport.abort()
            task.cancel()
        if self._open:
            await asyncio.wait(list(self._open))

    async def _refuse(self, reader: StreamReader, writer: StreamWriter) -> None:
        context = self.authority.server_context(clients_of=Authority())
        context.set_alpn_protocols([self.faults.alpn])
        await refuse(reader, writer, context)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a callback of start_server is one
        self._open[task] = writer
        self.connections += 1
        try:
            await _Session(self, reader, writer, self.connections).run()
        finally:
            del self._open[task]
            writer.transport.abort()


class _Session:
    """One connection."""

    def __init__(self, apns: SimulatedApns, reader: StreamReader, writer: StreamWriter, number: int) -> None:
        self._apns, self._reader, self._writer, self._number = apns, reader, writer, number
        self._faults = apns.faults
        self._requests: dict[int, tuple[list[tuple[str, str]], bytearray]] = {}  # those that have not ended, by stream
        self._arrived = 0
        self._dropped = False
        self._last: int | None = None  # the last stream of a GOAWAY
        self._answering: set[asyncio.Task[None]] = set()
        self._topic = _topic(writer.get_extra_info("ssl_object"))
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        values = {
            SettingCodes.MAX_CONCURRENT_STREAMS: self._faults.max_streams,
            SettingCodes.INITIAL_WINDOW_SIZE: self._faults.window,
        }
        self._h2.local_settings = Settings(client=False, initial_values=values)

    async def run(self) -> None:
        """Serve until the connection ends."""
        if self._number <= self._faults.close_before_settings:
            return
        if not self._faults.mute:
            self._h2.initiate_connection()
        try:
            while True:
                self._flush()
                if not (data := await self._reader.read(65536)):
                    return
                if not self._faults.mute and not self._receive(data):
                    return
        except (OSError, H2Error):
            return
        finally:
            for task in self._answering:
                task.cancel()

    def _receive(self, data: bytes) -> bool:
        """Process bytes of the client. False drops the connection."""
        for event in self._h2.receive_data(data):
            if isinstance(event, RequestReceived):
                fields = [(str(name), str(value)) for name, value in event.headers]
                self._requests[event.stream_id] = fields, bytearray()
                self._arrived += 1
                if self._arrived == _entry(self._faults.drop_after, self._number):
                    return False
                if self._arrived == _entry(self._faults.goaway_after, self._number):
                    self._goaway(event.stream_id)
                elif _entry(self._faults.goaway_after, self._number) == 0 and self._last is None:
                    self._goaway(0)
            elif isinstance(event, DataReceived):
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                if event.stream_id in self._requests:
                    self._requests[event.stream_id][1].extend(event.data)
            elif isinstance(event, StreamEnded):
                fields, body = self._requests.pop(event.stream_id)
                if self._last is None or event.stream_id <= self._last:
                    self._process(event.stream_id, fields, bytes(body))
            elif isinstance(event, StreamReset):
                self._requests.pop(event.stream_id, None)
            elif isinstance(event, PingReceived):
                self._apns.pings += 1
                if self._faults.no_pongs:
                    self._h2.clear_outbound_data_buffer()
            elif isinstance(event, ConnectionTerminated):
                return False
            if self._dropped:
                return False
        return True

    def _process(self, stream: int, fields: list[tuple[str, str]], body: bytes) -> None:
        push = check(fields, body, self._topic, self._number)
        if isinstance(push, Answer):
            self._apns.complaints.append(push)
            self._answer(stream, push)
            return
        self._apns.received.append(push)
        if push.token in self._faults.silent:
            return
        if push.token in self._faults.reset:
            self._h2.reset_stream(stream, ErrorCodes.INTERNAL_ERROR)
            return
        if (raw := self._faults.raw.get(push.token)) is not None:
            self._flush()
            self._writer.write(raw)
            return
        if push.token in self._faults.torn:
            self._flush()
            head = HeadersFrame(stream, self._h2.encoder.encode([(":status", "200")]), flags=["END_HEADERS"])
            self._writer.write(head.serialize()[:-1])
            self._dropped = True
            return
        if answer := self._faults.answers.get(push.token):
            self._answer(stream, answer)
            return
        decided = self._apns.handler(push) if self._apns.handler else None
        if isinstance(decided, Awaitable):
            task = asyncio.create_task(self._answer_later(stream, decided))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
        else:
            self._answer(stream, decided or Answer())

    async def _answer_later(self, stream: int, answer: Awaitable[Answer | None]) -> None:
        try:
            self._answer(stream, await answer or Answer())
            self._flush()
        except H2Error:
            return  # the client does not wait for it any more

    def _answer(self, stream: int, answer: Answer) -> None:
        body = answer.body
        self._h2.send_headers(stream, [(":status", str(answer.status)), *answer.headers], end_stream=not body)
        if body:
            self._h2.send_data(stream, body, end_stream=True)

    def _goaway(self, last: int) -> None:
        self._last = last
        self._flush()
        # By hand, because h2 would process nothing more after its own GOAWAY.
        frame = GoAwayFrame(0, last, 0, Answer(503, self._faults.goaway_reason).body)
        self._writer.write(frame.serialize())

    def _flush(self) -> None:
        if data := self._h2.data_to_send():
            self._writer.write(data)


def _entry(counts: list[int], number: int) -> int | None:
    return counts[number - 1] if number <= len(counts) else None


def _topic(tls: ssl.SSLObject) -> str:
    """The topic that the client's certificate is for."""
    certificate = x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"")
    names = certificate.subject.get_attributes_for_oid(NameOID.USER_ID)
    return str(names[0].value) if names else ""
