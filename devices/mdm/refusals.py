"""Requests of devices that are not answered as the device hopes. A device never reads the reason; the log has it."""


class MdmRefused(Exception):
    """Answered with `status` and no body. Never 401: a device takes it as the end of its enrollment."""

    def __init__(self, reason: str, *, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status


class Unrecognized(MdmRefused):
    """Answered 403 with Apple's code for a device that this server manages no longer: it removes its enrollment."""

    def __init__(self) -> None:
        super().__init__("The device was deleted here.", status=403)
