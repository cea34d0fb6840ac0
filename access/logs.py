"""Log lines as JSON, with the request or task that they belong to, and without anything that looks like a token."""

import hashlib
import logging
import re
import threading

import orjson
from pythonjsonlogger.orjson import OrjsonFormatter

from access.context import current
from access.database import Failure, failure_of

logger = logging.getLogger(__name__)

TOKEN_SHAPED = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32,}",
    re.IGNORECASE | re.ASCII,
)
# The key of a link, in the path of a page. Django logs the path of a request that failed; the link works on.
KEY_OF_A_LINK = re.compile(
    r"(?<=/invitation/)[^/\s\"]+|(?<=/enroll/)[^/\s\"]+|(?<=/password/reset/)[^/\s\"-]+-[^/\s\"]+"
)


def redact(text: str) -> str:
    """`text` with short fingerprints in place of tokens and of keys of links. Equal values have equal fingerprints."""
    return KEY_OF_A_LINK.sub(_fingerprint, TOKEN_SHAPED.sub(_fingerprint, text))


def _fingerprint(match: re.Match[str]) -> str:
    return f"[{hashlib.sha256(match[0].lower().encode()).hexdigest()[:8]}]"


class JsonFormatter(OrjsonFormatter):
    """One JSON object a line. The whole line is redacted: message, path, traceback and extra fields.

    The ids of the request or task follow as they are. They come from us, or are the trace of the sender.
    """

    def __init__(self) -> None:
        super().__init__(
            "%(asctime)s %(levelname)s %(name)s %(message)s",
            rename_fields={"asctime": "at"},
        )

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        context = current()
        if context is None:
            return redact(line)
        if context.tenant and not hasattr(record, "tenant"):  # a security event names it itself
            line = _with(line, {"tenant": context.tenant})
        return _with(redact(line), context.ids())


def _with(line: str, fields: dict[str, str]) -> str:
    return f"{line[:-1]},{orjson.dumps(fields)[1:].decode()}" if fields else line


class OutageFilter(logging.Filter):
    """Let an outage of the database log its first error with the traceback, and after that a count.

    Each request that meets the outage would log a traceback of its own, thousands a minute. An outage is over when
    `interval` seconds brought no error; the next one shows its first traceback again. Each process counts for itself.
    """

    def __init__(self, interval: float = 10.0) -> None:
        super().__init__()
        self._interval = interval
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._count = 0

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if failure_of(error) is not Failure.AWAY:
            # Django logs each 503 as an error. It is the same outage again, or a request that the client should repeat:
            # one of too many slow bodies, or one for a file that is still being checked.
            return getattr(record, "status_code", None) != 503
        with self._lock:
            if self._timer is None:
                self._start()
                return True
            self._count += 1
        return False

    def _start(self) -> None:
        self._timer = threading.Timer(self._interval, self._report)
        self._timer.daemon = True
        self._timer.start()

    def _report(self) -> None:
        with self._lock:
            count, self._count, self._timer = self._count, 0, None
            if count:
                self._start()
        if count:
            logger.error("The database did not answer %d more times in %.0f seconds.", count, self._interval)
