"""What a copy has finished, in a file: so that one which was interrupted goes on where it was."""

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO
from uuid import UUID

from devices.imports.tenant.client import TenantImportError


class Progress:
    """Steps and devices that are done. Without a path it remembers them only for as long as it lives.

    A file has JSON lines: first whose copy it is, then one for each step, device or denied part, and `finished` at the
    end of a whole copy, after which the next one starts anew. Raises TenantImportError for a file of another copy.
    """

    def __init__(self, path: Path | None, *, source: str, target: str, also: Collection[str] = ()) -> None:
        self._steps: set[str] = set()
        self._devices: set[UUID] = set()
        self.denied: set[str] = set()  # parts that devices which are done were not asked for
        self._file: TextIO | None = None
        if path is None:
            return
        head = {"source": source, "target": target} | ({"also": sorted(set(also))} if also else {})
        try:
            lines = _lines(path)
            if lines and lines[0] != head:
                raise TenantImportError(f"{path} belongs to another copy, or is no file of a copy.")
            if lines and lines[-1] == {"finished": True}:
                lines = []
                path.unlink()
            for line in lines[1:]:
                if "step" in line:
                    self._steps.add(line["step"])
                elif "denied" in line:
                    self.denied.add(line["denied"])
                elif "device" in line:
                    self._devices.add(UUID(line["device"]))
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise TenantImportError(f"{path}: {error.strerror}") from None
        except (ValueError, TypeError, AttributeError):
            raise TenantImportError(f"{path} is damaged: remove it, and the copy begins anew.") from None
        if not lines:
            self._write([head])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, type: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()

    def has_step(self, name: str) -> bool:
        return name in self._steps

    def has_device(self, uuid: UUID) -> bool:
        return uuid in self._devices

    @property
    def devices(self) -> int:
        return len(self._devices)

    def step(self, name: str) -> None:
        self._steps.add(name)
        self._write([{"step": name}])

    def add_devices(self, uuids: list[UUID]) -> None:
        self._devices.update(uuids)
        self._write([{"device": str(uuid)} for uuid in uuids])

    def deny(self, parts: Iterable[str]) -> None:
        new = sorted(set(parts) - self.denied)
        self.denied.update(new)
        self._write([{"denied": part} for part in new])

    def finish(self) -> None:
        self._write([{"finished": True}])

    def _write(self, lines: Iterable[Mapping[str, object]]) -> None:
        if self._file:
            self._file.writelines(f"{json.dumps(line)}\n" for line in lines)
            self._file.flush()


def _lines(path: Path) -> list[dict[str, Any]]:
    """The lines of the file, without one that was cut off as it was written."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    whole, _, cut = text.rpartition("\n")
    if cut:
        path.write_text(f"{whole}\n" if whole else "", encoding="utf-8")
    return [json.loads(line) for line in whole.split("\n") if line]
