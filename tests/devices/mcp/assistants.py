"""The official client of MCP, as an AI assistant uses it."""

from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client


@asynccontextmanager
async def connected(url: str, headers: dict[str, str], mode: Any = "auto") -> AsyncIterator[Client]:
    """A client of the server at this address. It asks the server again each time, and stores no list."""
    async with (
        httpx2.AsyncClient(headers=headers) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode, cache=None) as client,
    ):
        yield client


def run[T](scenario: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run it in a thread of its own: Playwright keeps an event loop on the thread of the tests."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(anyio.run, scenario).result()
