"""A stream of JSON values, each with the line on which it begins.

Written by hand because of the line numbers, by which people find a bad row: ijson and other streaming parsers do not
tell them, and stop at the first error, where this one goes on with the next object.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from devices.imports.errors import UnreadableRow

CHUNK = 256 * 1024  # characters
LARGEST = 32 * 1024 * 1024  # characters of one JSON value; nothing a device says about itself comes near

type Line = tuple[int, object]


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(parse_constant=_constant)


def json_lines(lines: Iterable[str]) -> Iterator[Line]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield number, _decoded(line)


def _decoded(text: str) -> object:
    try:
        return _decoder.decode(text)
    except json.JSONDecodeError as error:
        return UnreadableRow(f"broken JSON: {error.msg} (column {error.colno})")
    except ValueError as error:
        return UnreadableRow(f"broken JSON: {error}")
    except RecursionError:
        return UnreadableRow("broken JSON: nested too deeply")


class JsonValues:
    """JSON values of an array, or one after the other, out of a buffer that holds little more than one at a time."""

    def __init__(self, read: Callable[[int], str], *, array: bool) -> None:
        self.buffer = ""
        self.at = 0
        self.line = 1
        self.array = array
        self._read = read
        self._ended = False

    def values(self) -> Iterator[Line]:
        if self.array:
            self._skip(r"\s*\[")
        while True:
            self._skip(r"[\s,]*" if self.array else r"\s*")
            if self.at >= len(self.buffer) or (self.array and self.buffer[self.at] == "]"):
                if self.array and self.at >= len(self.buffer):
                    yield self.line, UnreadableRow("the file ends inside the array")
                return
            line, value = self.line, self._value()
            yield line, value
            if isinstance(value, UnreadableRow) and not self._next_like():
                yield self.line, UnreadableRow("the rest of the file cannot be read")
                return

    def _value(self) -> object:
        while True:
            try:
                value, end = _decoder.raw_decode(self.buffer, self.at)
            except json.JSONDecodeError as error:
                if self._may_go_on(error) and self._more():
                    continue
                return UnreadableRow(f"broken JSON: {error.msg} (line {self.line + self._newlines(error.pos)})")
            except ValueError as error:
                return UnreadableRow(f"broken JSON: {error}")
            except RecursionError:
                return UnreadableRow("broken JSON: nested too deeply")
            if end == len(self.buffer) and self._more():
                continue  # a number may go on in the next chunk
            self._advance(end)
            return value

    def _may_go_on(self, error: json.JSONDecodeError) -> bool:
        """Whether the error may be only that the value continues beyond the buffer."""
        cut = error.msg.startswith("Unterminated string") or error.pos >= len(self.buffer) - 16
        return cut and len(self.buffer) - self.at < LARGEST

    def _next_like(self) -> bool:
        """Go to the next line that begins an object in the same column as the broken one. False where none does."""
        indentation = self.buffer[self.buffer.rfind("\n", 0, self.at) + 1 : self.at]
        if indentation.strip():
            return False
        pattern = re.compile(r"\n" + re.escape(indentation) + r"(?=\{)")
        while (match := pattern.search(self.buffer, self.at)) is None:
            # Keep a tail in which the next object may have begun.
            self._advance(max(self.at, len(self.buffer) - len(indentation) - 2))
            if not self._more():
                return False
        self._advance(match.end())
        return True

    def _skip(self, pattern: str) -> None:
        compiled = re.compile(pattern)
        while True:
            if match := compiled.match(self.buffer, self.at):
                self._advance(match.end())
            if self.at < len(self.buffer) or not self._more():
                return

    def _advance(self, to: int) -> None:
        self.line += self._newlines(to)
        self.at = to

    def _newlines(self, to: int) -> int:
        return self.buffer.count("\n", self.at, to)

    def _more(self) -> bool:
        """Read on. What was passed is let go, except its last line, which `_next_like` looks at."""
        if self._ended:
            return False
        keep = self.buffer.rfind("\n", 0, self.at) + 1
        if self.at - keep > CHUNK:
            keep = self.at
        # Twice as much as is waiting: a long value is then decoded a few times, not once per chunk.
        chunk = self._read(max(CHUNK, len(self.buffer) - self.at))
        self.buffer = self.buffer[keep:] + chunk
        self.at -= keep
        self._ended = not chunk
        return bool(chunk)
