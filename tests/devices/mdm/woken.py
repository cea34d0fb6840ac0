"""Simulated devices that come when a push wakes them, and not otherwise, as real ones do."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread

from devices.mdm.simulator.device import SimulatedDevice
from devices.mdm.simulator.enrolling import NotEnrolled
from devices.mdm.simulator.requests import Received
from devices.mdm.simulator.transports import ConnectionCut

PATIENCE = 60.0  # seconds


class WokenDevices:
    """The handler of a simulated push service: the device that a push is for has a session.

    `pushes` counts them by serial number. `faults` are pushes that no device expected, and sessions that failed.
    """

    def __init__(self) -> None:
        self.devices: list[SimulatedDevice] = []
        self.pushes: Counter[str] = Counter()
        self.faults: list[str] = []
        self._one_session: defaultdict[str, Lock] = defaultdict(Lock)
        self._awake = Event()
        self._awake.set()
        self._over = Event()
        self._sessions: list[Thread] = []

    def __call__(self, push: Received) -> None:
        known = {(each.push_token, each.push_magic): each for each in self.devices if each.enrolled}
        device = known.get((push.token, push.magic))
        if device is None:
            self.faults.append(f"{push} is for no device that is enrolled.")
            return
        self.pushes[device.serial_number] += 1
        session = Thread(target=self._connect, args=[device], daemon=True)
        self._sessions.append(session)
        session.start()

    def end(self) -> None:
        """No push wakes a device any more. Waits for the sessions that have begun: their server is about to end."""
        self._over.set()
        self._awake.set()
        for session in list(self._sessions):
            session.join(PATIENCE)

    @contextmanager
    def asleep(self) -> Iterator[None]:
        """Inside, pushes arrive and no device comes: it does so at the end of the block."""
        self._awake.clear()
        try:
            yield
        finally:
            self._awake.set()

    def _connect(self, device: SimulatedDevice) -> None:
        with self._one_session[device.serial_number]:
            self._awake.wait(PATIENCE)
            if self._over.is_set():
                return
            try:
                device.connect()
            except (ConnectionCut, NotEnrolled, AssertionError) as error:
                self.faults.append(f"{device.serial_number}: {error!r}")
