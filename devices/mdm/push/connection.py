"""One HTTP/2 connection to APNs, on which many pushes wait for their answers at once."""

import asyncio
import ssl
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Self
from uuid import uuid4

import orjson
from h2.config import H2Configuration
from h2.connection import ConnectionInputs, H2Connection, H2ConnectionStateMachine
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import H2Error, NoSuchStreamError
from h2.settings import SettingCodes, Settings
from hpack import HeaderTuple, NeverIndexedHeaderTuple

from access.outgoing import Proxy
from devices.mdm.push.batch import Batch
from devices.mdm.push.results import CertificateRefused, Result, TryAgain, refusal_of, result_of
from devices.mdm.push.tls import connect

MOST_STREAMS = 1000  # what APNs allows to a certificate; its SETTINGS may allow fewer
LAST_STREAM = 2_000_000_000  # HTTP/2 has no ids from 2³¹ on
LONGEST_BODY = 4096  # bytes of an answer; those of APNs have less than a hundred
READ = 65536
WEEK = 7 * 24 * 60 * 60  # for so long, APNs keeps a push for a device that is off
CLOSING = 1.0  # seconds


class NotOpened(Exception):
    """No connection: `result` is that of the pushes. `closed` says that APNs closed it without a reason."""

    def __init__(self, result: CertificateRefused | TryAgain, *, closed: bool = False) -> None:
        super().__init__(result.reason)
        self.result = result
        self.closed = closed


@dataclass(frozen=True, slots=True)
class Address:
    """Where APNs is, and how to speak with it. `timeout` is that of opening, and of each answer, in seconds."""

    host: str
    port: int
    topic: str
    context: ssl.SSLContext
    proxy: Proxy | None
    timeout: float
    keep_alive: float

    @property
    def authority(self) -> str:
        return self.host if self.port == 443 else f"{self.host}:{self.port}"


@dataclass(slots=True)
class _Flight:
    """A push that was sent and is not answered."""

    batch: Batch
    number: int
    apns_id: str
    deadline: float
    status: int = 0
    retry_after: str | None = None
    body: bytes = b""


class _States(H2ConnectionStateMachine):
    """h2 ends a connection with GOAWAY at once. HTTP/2 goes on with the streams up to its last stream."""

    def process_input(self, input_: ConnectionInputs) -> list[Event]:
        return [] if input_ is ConnectionInputs.RECV_GOAWAY else super().process_input(input_)


class Connection:
    """`usable` for further pushes, or not; `fruitful` once APNs processed one; `suspect` after a fault of APNs."""

    def __init__(self, address: Address, reader: StreamReader, writer: StreamWriter) -> None:
        self.usable, self.fruitful, self.suspect, self.ended = True, False, False, False
        self._address, self._reader, self._writer = address, reader, writer
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._flights: dict[int, _Flight] = {}  # by stream, in the order of their deadlines
        self._bodies: dict[int, bytes] = {}  # what does not fit into the window of APNs yet, by stream
        self._batch: Batch | None = None
        self._heard, self._pinged = self._loop.time(), 0.0
        self._h2 = H2Connection(
            H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False, header_encoding=None)
        )
        self._h2.state_machine = _States()
        self._h2.local_settings = Settings(client=True, initial_values={SettingCodes.ENABLE_PUSH: 0})
        self._on: dict[type[Event], Callable[[Any], None]] = {
            ResponseReceived: self._head,
            DataReceived: self._data,
            StreamEnded: self._answered,
            StreamReset: self._reset,
            WindowUpdated: self._window,
            RemoteSettingsChanged: self._settings,
            ConnectionTerminated: self._goaway,
        }
        self._h2.initiate_connection()
        self._flush()
        self._reading = self._loop.create_task(self._read())
        self._timer = self._loop.call_later(address.timeout / 10, self._tick)

    @classmethod
    async def open(cls, address: Address) -> Self:
        """Connect, and wait for the first frame of APNs. Raises NotOpened."""
        connection = None
        try:
            async with asyncio.timeout(address.timeout):
                reader, writer = await connect(address.host, address.port, address.context, address.proxy)
                connection = cls(address, reader, writer)
                tls = writer.get_extra_info("ssl_object")
                if tls.selected_alpn_protocol() != "h2":
                    raise NotOpened(TryAgain("The server does not speak HTTP/2."))
                await connection._ready
        except BaseException as error:
            if connection is not None:
                connection._end("The connection was not opened.")
                connection._writer.transport.abort()  # a server that says nothing would not answer to the end of TLS
            if not isinstance(error, OSError):
                raise
            raise _not_opened(error) from error
        return connection

    @property
    def room(self) -> int:
        """How many more pushes may be sent now."""
        if not self.usable or self._h2.outbound_flow_control_window <= 0:
            return 0
        return min(MOST_STREAMS, self._h2.remote_settings.max_concurrent_streams) - len(self._flights)

    def send(self, batch: Batch) -> None:
        """Send as many pushes of the batch as there is room for."""
        room, self._batch = self.room, batch
        topic, expiration = self._address.topic, str(int(time.time()) + WEEK)
        deadline = self._loop.time() + self._address.timeout
        while batch.waiting and room > 0 and self.usable:
            number = batch.waiting.popleft()
            push, apns_id, stream = batch.pushes[number], str(uuid4()), self._h2.get_next_available_stream_id()
            headers = [
                HeaderTuple(":method", "POST"),
                HeaderTuple(":scheme", "https"),
                HeaderTuple(":authority", self._address.authority),
                # Those that differ each time stay out of the table of headers, which keeps the others in it.
                NeverIndexedHeaderTuple(":path", f"/3/device/{push.token.hex()}"),
                HeaderTuple("apns-topic", topic),
                HeaderTuple("apns-push-type", "mdm"),
                HeaderTuple("apns-priority", "10"),
                HeaderTuple("apns-expiration", expiration),
                NeverIndexedHeaderTuple("apns-id", apns_id),
            ]
            self._h2.send_headers(stream, headers)
            self._flights[stream] = _Flight(batch, number, apns_id, deadline)
            self._send_body(stream, orjson.dumps({"mdm": push.magic}))
            self.usable = stream < LAST_STREAM
            room = room - 1 if self._h2.outbound_flow_control_window > 0 else 0
        self._flush()

    def retire(self) -> None:
        """Send no further push; wait for the answers that are missing, and close then."""
        self.usable = False
        if not self._flights:
            self._end("The connection was closed.")

    async def close(self) -> None:
        """Close the connection. Pushes without an answer are to be sent again."""
        self._end("The connection was closed.")
        self._reading.cancel()
        await asyncio.wait([self._reading])
        try:
            async with asyncio.timeout(CLOSING):
                await self._writer.wait_closed()
        except OSError:
            self._writer.transport.abort()

    async def _read(self) -> None:
        reason = "The connection failed."
        try:
            while data := await self._reader.read(READ):
                self._heard, self._pinged = self._loop.time(), 0.0
                for event in self._h2.receive_data(data):
                    if handle := self._on.get(type(event)):
                        handle(event)
                self._flush()
                if not self._flights and not self.usable:
                    break
                await self._writer.drain()
            reason = "APNs closed the connection."
        except H2Error:
            reason = "APNs did not answer as HTTP/2 says."
            if not self._ready.done():
                self._ready.set_exception(NotOpened(TryAgain(reason)))
            self._flush()  # h2 tells the server, too
        except OSError as error:
            reason = f"The connection was lost: {_text(error)}"
            if not self._ready.done():
                self._ready.set_exception(error)
        finally:
            self._end(reason)

    def _head(self, event: ResponseReceived) -> None:
        if flight := self._flights.get(event.stream_id):
            headers = dict(event.headers)
            status, pause = headers.get(b":status", b""), headers.get(b"retry-after")
            flight.status = int(status) if len(status) == 3 and status.isdigit() else 0
            flight.retry_after = pause.decode("latin-1") if pause else None

    def _data(self, event: DataReceived) -> None:
        self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        flight = self._flights.get(event.stream_id)
        if flight and len(flight.body) < LONGEST_BODY:
            flight.body += event.data

    def _answered(self, event: StreamEnded) -> None:
        if event.stream_id in self._bodies:  # an answer before the end of the request
            with suppress(NoSuchStreamError):
                self._h2.reset_stream(event.stream_id, ErrorCodes.CANCEL)
        if flight := self._take(event.stream_id):
            if flight.status:
                result = result_of(flight.apns_id, flight.status, flight.body, flight.retry_after)
            else:
                result = TryAgain("APNs did not answer as HTTP says.")
                self.usable = False
            self.suspect = self.suspect or flight.status >= 500
            self._settle(flight, result)

    def _reset(self, event: StreamReset) -> None:
        if flight := self._take(event.stream_id):
            self.suspect = True
            self._settle(flight, TryAgain("APNs ended the request without an answer."))

    def _settings(self, event: RemoteSettingsChanged) -> None:
        if not self._ready.done():
            self._ready.set_result(None)
        self._window(event)

    def _window(self, event: WindowUpdated | RemoteSettingsChanged) -> None:
        for stream in [event.stream_id] if isinstance(event, WindowUpdated) and event.stream_id else list(self._bodies):
            if (body := self._bodies.pop(stream, None)) is not None:
                with suppress(NoSuchStreamError):  # APNs has ended it; that event comes next
                    self._send_body(stream, body)
        if self._batch:
            self._batch.news.set()  # there may be more room

    def _goaway(self, event: ConnectionTerminated) -> None:
        last = event.last_stream_id or 0
        refusal = refusal_of(event.additional_data or b"")
        unprocessed = [flight for stream in list(self._flights) if stream > last and (flight := self._take(stream))]
        self.usable = False
        self.fruitful = self.fruitful or bool(self._flights)
        if refusal:
            for flight in unprocessed:
                self._settle(flight, refusal)
        elif unprocessed:
            unprocessed[0].batch.send_again(flight.number for flight in unprocessed)
        if self._batch:
            self._batch.refused = self._batch.refused or refusal
            self._batch.news.set()

    def _tick(self) -> None:
        now = self._loop.time()
        for stream, flight in list(takewhile(lambda item: item[1].deadline <= now, self._flights.items())):
            self._take(stream)
            self._h2.reset_stream(stream, ErrorCodes.CANCEL)
            flight.batch.settle(flight.number, TryAgain(f"No answer within {self._address.timeout:g} seconds."))
            self.usable = False  # silence for one is silence for all, if the connection is dead
        if self._pinged and now - self._pinged >= self._address.timeout:
            self._end("APNs does not answer.")
            self._writer.transport.abort()
        elif not self._flights and not self._pinged and now - self._heard >= self._address.keep_alive:
            self._h2.ping(b"are you?")
            self._pinged = now
        self._flush()
        if not self._flights and not self.usable:
            self._end("The connection was closed.")
        if not self.ended:
            self._timer = self._loop.call_later(self._address.timeout / 10, self._tick)

    def _take(self, stream: int) -> _Flight | None:
        self._bodies.pop(stream, None)
        return self._flights.pop(stream, None)

    def _settle(self, flight: _Flight, result: Result) -> None:
        self.fruitful = True
        flight.batch.settle(flight.number, result)

    def _send_body(self, stream: int, body: bytes) -> None:
        # More than the window of APNs, or than one frame of it, makes h2 raise an error.
        size = min(self._h2.local_flow_control_window(stream), self._h2.max_outbound_frame_size)
        if size >= len(body):
            self._h2.send_data(stream, body, end_stream=True)
            return
        if size > 0:
            self._h2.send_data(stream, body[:size])
        self._bodies[stream] = body[max(size, 0) :]

    def _flush(self) -> None:
        if (data := self._h2.data_to_send()) and not self._writer.is_closing():
            self._writer.write(data)

    def _end(self, reason: str) -> None:
        """Close. Each push without an answer gets `reason`."""
        if self.ended:
            return
        self.ended, self.usable = True, False
        self._timer.cancel()
        if not self._ready.done():
            self._ready.set_exception(NotOpened(CertificateRefused(reason), closed=True))
            self._ready.exception()  # read, so that asyncio does not report it where nobody waits for it any more
        for flight in self._flights.values():
            flight.batch.settle(flight.number, TryAgain(reason))
        self._flights.clear()
        if self._batch:
            self._batch.news.set()
        self._writer.close()


def _not_opened(error: OSError) -> NotOpened:
    """What the failure to connect says about the certificate."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return NotOpened(TryAgain(f"The server is not trusted: {error.verify_message}"))
    if isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or ""):
        return NotOpened(CertificateRefused(str(error.reason)))
    if isinstance(error, TimeoutError):
        return NotOpened(TryAgain("The connection was not opened in time."))
    if isinstance(error, ssl.SSLEOFError | ConnectionResetError):
        return NotOpened(CertificateRefused(_text(error)), closed=True)
    return NotOpened(TryAgain(_text(error)))


def _text(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
