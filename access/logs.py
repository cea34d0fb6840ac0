"""Log lines as JSON, without anything that looks like a token."""

import hashlib
import logging
import re

from pythonjsonlogger.orjson import OrjsonFormatter

TOKEN_SHAPED = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32,}",
    re.IGNORECASE | re.ASCII,
)


def redact(text: str) -> str:
    """`text` with everything shaped like a token replaced by a short fingerprint, equal for equal values."""
    return TOKEN_SHAPED.sub(
        lambda match: f"[{hashlib.sha256(match[0].lower().encode()).hexdigest()[:8]}]",
        text,
    )


class JsonFormatter(OrjsonFormatter):
    """One JSON object a line. The whole line is redacted: message, path, traceback and extra fields."""

    def __init__(self) -> None:
        super().__init__(
            "%(asctime)s %(levelname)s %(name)s %(message)s",
            rename_fields={"asctime": "at"},
        )

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))
