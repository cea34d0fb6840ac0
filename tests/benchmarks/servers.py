"""Our server and those of the peers as processes, and what they use of the machine."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.installation import ENDS_WITH_US
from tests.processes import ROOT, status, wait_for

START = 60.0  # seconds for the start of a server
TICKS = os.sysconf("SC_CLK_TCK")  # of the processor's time in a second
SETTINGS = "tests.benchmarks.peers.settings"
_OWN = ("IRU_", "SECRET_KEY", "DATABASE_", "DEBUG", "STATIC_", "EMAIL_", "DEFAULT_FROM", "DJANGO_", "LOG_LEVEL")


def product_environment(url: str, directory: Path) -> dict[str, str]:
    """The settings of our server on that database: those of production, for plain HTTP on this machine."""
    unset = {name: "" for name in os.environ if name.startswith(_OWN)}
    return unset | {
        "DJANGO_SETTINGS_MODULE": "iru.settings",
        "DATABASE_URL": url,
        "DEBUG": "false",
        "EMAIL_URL": "memorymail://",
        "IRU_ENV_FILE": "/dev/null",
        "SECRET_KEY": "the benchmarks' own",
        "IRU_TOKEN_KEYS": f"1:{'1' * 64}",  # fixed: the token is kept with the fleet
        "IRU_SECRET_KEYS": f"1:{'2' * 64}",
        "IRU_AUDIT_KEY": "the benchmarks' own",
        "IRU_DOMAIN": "iru.test",
        "IRU_SCHEME": "http",
        "IRU_PORT": "0",
        "IRU_WEB_HOSTS": "localhost",
        "IRU_BARE_API_HOSTS": "127.0.0.1",
        "IRU_FILES_DIR": str(directory / "files"),
        "IRU_MDM_TAKE_OVER": "allow",
        "IRU_MDM_WAKE_RATE": "20",
        "IRU_ADE_URL": "http://127.0.0.1:9",
        "IRU_APNS_URL": "http://127.0.0.1:9",
        "IRU_FILES_MAXIMUM": "5000000",
        "IRU_OPERATORS_SECOND_STEP": "false",
        "IRU_PURGE_DAILY": "false",
        "STATIC_STORAGE": "django.contrib.staticfiles.storage.StaticFilesStorage",
        "STATIC_ROOT": str(directory / "static"),
        "DEFAULT_FROM_EMAIL": "no-reply@iru.test",
        "LOG_LEVEL": "WARNING",
        "PYTHONWARNINGS": "ignore:No directory at",  # the static files are those of the sources
    }


def peer_environment(peer: str, url: str, bodies: Path | None = None) -> dict[str, str]:
    """The settings of a peer on that database. `bodies` is the directory of constant bytes."""
    return {
        "DJANGO_SETTINGS_MODULE": SETTINGS,
        "PEER": peer,
        "PEER_DATABASE_URL": url,
        "PEER_BODIES": str(bodies or ""),
    }


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers on a port of this machine."""

    port: int
    pid: int
    processes: int
    log: Path

    def cpu_seconds(self) -> float:
        """The processor's time of all its processes so far, in seconds."""
        return cpu_seconds(self.pid)

    def memory(self) -> float:
        """Resident memory of a server process, in megabytes: the mean of those that serve."""
        serving = self._serving()
        return sum(map(resident, serving)) / len(serving)

    def open_files(self) -> float:
        """The open files and connections of a server process: the mean of those that serve."""
        serving = self._serving()
        return sum(map(open_files, serving)) / len(serving)

    def _serving(self) -> list[int]:
        """The largest processes: beside those that serve there are small ones."""
        return sorted(descendants(self.pid)[1:], key=resident, reverse=True)[: self.processes]


@contextmanager
def product(
    url: str, directory: Path, port: int, *, processes: int, threads: int, options: Sequence[str] = ()
) -> Iterator[Running]:
    """Our server, as an installation starts it."""
    command = ["manage.py", "serve", "--port", str(port), "--processes", str(processes), "--threads", str(threads)]
    with _started([*command, *options], product_environment(url, directory), directory, port, processes) as running:
        yield running


@contextmanager
def peer(
    name: str, url: str, directory: Path, port: int, *, processes: int, threads: int, bodies: Path | None = None
) -> Iterator[Running]:
    """A peer on the same server software, with as many processes and threads."""
    command = ["-m", "granian", "--interface", "wsgi", "--http", "1", "--no-ws", "--log-level", "warning"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", str(processes)]
    command += ["--blocking-threads", str(threads), "tests.benchmarks.peers.wsgi:application"]
    with _started(command, peer_environment(name, url, bodies), directory, port, processes) as running:
        yield running


@contextmanager
def _started(
    arguments: Sequence[str], environment: dict[str, str], directory: Path, port: int, processes: int
) -> Iterator[Running]:
    log = directory / f"server-{port}.log"
    with running(arguments, environment, log) as process:

        def answers() -> bool:
            if process.poll() is not None:
                raise SystemExit(f"A server did not start: {log.read_text()[-3000:]}")
            return status(port) is not None

        wait_for(answers, START)
        yield Running(port, process.pid, processes, log)


@contextmanager
def running(arguments: Sequence[str], environment: dict[str, str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A process of Python inside the block, which writes its messages into the file."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*ENDS_WITH_US, "TERM", sys.executable, *arguments],
            cwd=ROOT,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            process_group=0,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_ports(first: int, count: int) -> list[int]:
    """So many ports from `first` on that nothing listens on."""
    found: list[int] = []
    for port in range(first, first + 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise SystemExit(f"Of the ports from {first} on, fewer than {count} are free.")


def cpu_seconds(pid: int) -> float:
    """The processor's time of a process and all its descendants, in seconds. Those that ended are included."""
    return sum(_ticks(each, ended=each == pid) for each in descendants(pid)) / TICKS


def descendants(pid: int) -> list[int]:
    """The process itself, its children, and theirs."""
    found = [pid]
    for each in found:
        for task in Path(f"/proc/{each}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


def _ticks(pid: int, *, ended: bool) -> int:
    try:
        # The name of the command is between parentheses, and may have blanks in it.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11 : 15 if ended else 13]))


def resident(pid: int) -> float:
    """Resident memory of a process, in megabytes."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1_000_000


def open_files(pid: int) -> int:
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return 0
