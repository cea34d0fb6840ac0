"""Sends pushes to devices: one client for each push certificate."""

import asyncio
import ssl
from collections.abc import Sequence
from typing import Self

from access.outgoing import Proxy
from devices.mdm.push.batch import Batch
from devices.mdm.push.connection import Address, Connection, NotOpened
from devices.mdm.push.results import Push, Result, TryAgain

MOST_FRUITLESS = 3  # connections in a row on which APNs processed no push


class PushClient:
    """Holds one HTTP/2 connection to APNs. It is opened by the first push, and again whenever it is lost.

    `context` is that of `push_context`, and `topic` that of its certificate. No call of `send` takes longer than
    `longest_batch` + `timeout` seconds, and a time for closing.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        topic: str,
        context: ssl.SSLContext,
        proxy: Proxy | None = None,
        timeout: float = 10,
        longest_batch: float = 45,
        keep_alive: float = 120,
    ) -> None:
        self._address = Address(host, port, topic, context, proxy, timeout, keep_alive)
        self._longest_batch = longest_batch
        self._connections: list[Connection] = []  # the last one is in use; earlier ones wait for answers
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def send(self, pushes: Sequence[Push]) -> list[Result]:
        """Send the pushes and return their results, in the same order. A second call waits for the first.

        A push that APNs certainly did not process (GOAWAY) is sent again on a new connection. After a refusal of the
        certificate, pushes that were not sent yet have the same result unsent.
        """
        async with self._lock:
            batch = Batch(pushes)
            try:
                await self._run(batch)
            except BaseException:
                await self.close()  # answers to an abandoned batch would only take the room of the next
                raise
            for connection in self._connections:
                if connection.suspect:
                    connection.retire()
            return batch.results()

    async def close(self) -> None:
        """Close the connections. `send` opens a new one."""
        connections, self._connections = self._connections, []
        for connection in connections:
            await connection.close()

    async def _run(self, batch: Batch) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._longest_batch
        opened: list[Connection] = []
        while batch.missing:
            batch.news.clear()
            if batch.refused:
                batch.give_up(batch.refused)
            elif loop.time() >= deadline:
                batch.give_up(TryAgain("There was no time left for it."))
            elif batch.waiting:
                await self._continue(batch, opened)
            if batch.missing:
                try:
                    async with asyncio.timeout_at(deadline if batch.waiting else None):
                        await batch.news.wait()
                except TimeoutError:
                    continue

    async def _continue(self, batch: Batch, opened: list[Connection]) -> None:
        """Send more pushes, on a new connection if the last one takes none. `opened` are those of this batch."""
        if not self._connections or not self._connections[-1].usable:
            last = opened[-MOST_FRUITLESS:]
            if len(last) == MOST_FRUITLESS and not any(connection.fruitful for connection in last):
                batch.give_up(TryAgain("APNs ended several connections without an answer."))
                return
            try:
                connection = await self._open()
            except NotOpened as error:
                batch.give_up(error.result)
                return
            self._connections = [*(one for one in self._connections if not one.ended), connection]
            opened.append(connection)
        self._connections[-1].send(batch)

    async def _open(self) -> Connection:
        try:
            return await Connection.open(self._address)
        except NotOpened as error:
            if not error.closed:
                raise
        # APNs may refuse a certificate by closing, and any network may close a connection once. Not twice in a row.
        return await Connection.open(self._address)
