"""The base class of refusals, which rooms raise and the API answers."""

from collections.abc import Mapping
from typing import Any


class Refusal(Exception):
    """A call that is refused for a reason that the caller may read; its message is that reason.

    It carries its own answer, so that the API need not know the refusals of each room: an HTTP status, a body in values
    that JSON has, and headers. Declare one beside the function that raises it.
    """

    status = 400
    cause = ""  # of a 503, for those who watch the server: one word

    def body(self) -> Any:
        return {"detail": str(self)}

    def headers(self) -> Mapping[str, str]:
        return {}
