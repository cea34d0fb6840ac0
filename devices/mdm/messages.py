"""The property list that a device sends, with readers that take nothing of another type."""

from typing import Any

from devices.mdm.refusals import MdmRefused
from devices.wire import plists
from devices.wire.errors import Malformed


class Message(dict[str, Any]):
    """The fields of a message. A field that is missing reads as empty. Raises MdmRefused for one of another type."""

    @classmethod
    def read(cls, body: bytes) -> "Message":
        """Raises MdmRefused for a body that is no property list, or a hostile one."""
        try:
            return cls(plists.loads(body))
        except Malformed as error:
            raise MdmRefused(f"The property list is malformed: {error}") from None

    def text(self, key: str, *, maximum: int = 1000) -> str:
        value = self.get(key, "")
        if not isinstance(value, str) or len(value) > maximum or "\0" in value:
            raise MdmRefused(f"{key} is no text of up to {maximum} characters.")
        return value

    def data(self, key: str, *, maximum: int = 1024 * 1024) -> bytes:
        value = self.get(key, b"")
        if not isinstance(value, bytes) or len(value) > maximum:
            raise MdmRefused(f"{key} is no data of up to {maximum} bytes.")
        return value
