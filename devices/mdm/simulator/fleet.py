"""Many simulated devices against one server, each of which connects again and again."""

import ssl
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle, repeat
from random import Random
from threading import Event, Lock

from devices.mdm.simulator.device import Cut, SimulatedDevice
from devices.mdm.simulator.enrolling import NotEnrolled
from devices.mdm.simulator.keys import KeyPool
from devices.mdm.simulator.kinds import KINDS
from devices.mdm.simulator.setup_assistant import Activation
from devices.mdm.simulator.transports import ConnectionCut, http_transport


@dataclass(frozen=True, kw_only=True)
class Habits:
    """How the devices differ from ones with which all goes well. Shares are from 0 to 1, of all sessions."""

    not_now: float = 0
    lost_answers: float = 0
    errors: frozenset[str] = frozenset()  # RequestTypes
    refused_declarations: frozenset[str] = frozenset()  # types
    app_state: str = ""  # Apple's Status in which installations of apps end, instead of `Managed`
    packages_do_nothing: bool = False  # installers on Macs end without installing an app
    duplicates: bool = False
    waits_for_deadlines: bool = False  # a person installs a required version at once otherwise
    stay_erased: bool = False  # a person enrolls an erased device again otherwise
    check_out: float = 0  # a person removes the profile


@dataclass(frozen=True, kw_only=True)
class Listed:
    """Devices that Apple has assigned, and how they enroll by themselves: kinds and serial numbers, and the address."""

    devices: list[tuple[str, str]]
    url: str
    issue: Activation


@dataclass
class Totals:
    """What has happened so far."""

    enrolled: int = 0
    sessions: int = 0
    lost: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)


class SimulatedFleet:
    """The devices, and what has happened to them. `tell` gets a line for each change that a person should read."""

    def __init__(
        self,
        number: int,
        *,
        url: str,
        profile: bytes = b"",
        habits: Habits,
        keys: KeyPool,
        tell: Callable[[str], None],
        context: ssl.SSLContext | None = None,
        kinds: Iterable[str] = tuple(KINDS),
        series: str = "SIM",
        listed: Listed | None = None,
        random: Random | None = None,
    ) -> None:
        """They install `profile`, or are those that Apple has `listed`, of which there may be fewer than `number`."""
        self.listed = listed
        self.profile, self.habits, self.tell, self.random = profile, habits, tell, random or Random()  # noqa: S311 - chance, no secret
        self.totals = Totals()
        self._lock = Lock()
        transport = http_transport(url, context=context)
        each = listed.devices if listed else zip(cycle(kinds), repeat(""))
        self.devices = [
            SimulatedDevice(KINDS[kind], index, transport=transport, keys=keys, series=series, serial_number=serial)
            for index, (kind, serial) in zip(range(1, number + 1), each, strict=False)
        ]
        for device in self.devices:
            device.switches.errors = set(habits.errors)
            device.switches.duplicates = habits.duplicates
            device.switches.refuses_declarations = set(habits.refused_declarations)
            device.switches.app_state = habits.app_state
            device.switches.packages_do_nothing = habits.packages_do_nothing
            device.switches.updates_early = not habits.waits_for_deadlines

    def run(self, *, every: float, threads: int, stop: Event, wake: Event) -> None:
        """Have every device connect now, every few seconds, and when `wake` is set, until `stop` is set."""
        with ThreadPoolExecutor(threads) as pool:
            try:
                while not stop.is_set():
                    wake.clear()
                    for _ in pool.map(lambda device: None if stop.is_set() else self.live(device), self.devices):
                        pass
                    if not stop.is_set():
                        wake.wait(every)
            finally:
                stop.set()  # before the pool waits for those that have begun

    def live(self, device: SimulatedDevice) -> None:
        """One turn of a device: it enrolls if it has to, and connects."""
        try:
            if not device.enrolled:
                self._enroll(device)
            elif self._happens(self.habits.check_out):
                device.unenroll()
                self.tell(f"{device.serial_number} has removed its profile.")
                return
            self._session(device)
        except ConnectionCut as cut:
            self._note_problem(f"no connection: {cut}" if str(cut) else "a lost answer")
        except NotEnrolled as error:
            self._note_problem(str(error))

    def summary(self) -> list[str]:
        """What has happened, in lines."""
        totals = self.totals
        enrolled = sum(device.enrolled for device in self.devices)
        lines = [
            (
                f"{enrolled} of {len(self.devices)} devices are enrolled; {totals.enrolled} enrollments, "
                f"{totals.sessions} sessions, {sum(totals.answers.values())} answers."
            )
        ]
        lines += [f"  {kind}: {status} {number} times" for (kind, status), number in sorted(totals.answers.items())]
        lines += [f"  {number} times: {problem}" for problem, number in totals.problems.most_common(10)]
        return lines

    def _enroll(self, device: SimulatedDevice) -> None:
        if device.removed_by is not None or (device.erased and self.habits.stay_erased):
            return
        if device.state.pin is not None:
            device.type_pin(device.state.pin)  # the person who enrolls it knows it
        if self.listed:
            device.enroll_automatically(self.listed.url, self.listed.issue)
        else:
            device.enroll(self.profile)
        with self._lock:
            self.totals.enrolled += 1
        self.tell(f"{device.serial_number} ({device.kind.model_name}) is enrolled.")

    def _session(self, device: SimulatedDevice) -> None:
        if not device.reachable:
            return
        device.switches.not_now = int(self._happens(self.habits.not_now))
        if self._happens(self.habits.lost_answers):
            device.cut = self.random.choice(list(Cut))
        before, version = len(device.conversation), device.state.os_version
        try:
            device.connect()
        finally:
            answers = device.conversation[before:]
            with self._lock:
                self.totals.sessions += 1
                self.totals.answers.update(answers)
            for kind, status in answers:
                self.tell(f"{device.serial_number}: {kind}, {status}.")
            if device.state.os_version != version:
                self.tell(f"{device.serial_number} has updated itself to {device.state.os_version}.")
            if device.removed_by is not None:
                self.tell(f"{device.serial_number} was told {device.removed_by} and has removed its profile.")

    def _happens(self, share: float) -> bool:
        return share > 0 and self.random.random() < share

    def _note_problem(self, problem: str) -> None:
        with self._lock:
            first = not self.totals.problems[problem]
            self.totals.problems[problem] += 1
        if first:
            self.tell(f"Problem: {problem}")
