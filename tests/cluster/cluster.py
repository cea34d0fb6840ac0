"""Three etcd, three Patroni with their PostgreSQL, and HAProxy, all on this machine."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.faults.installation import ANOTHER_USER, ENDS_WITH_US, children, command, free_port, signal_all
from tests.processes import wait_for
from tests.scratch import postgres_programs

NODES = range(3)
HERE = Path(__file__).parent
PROGRAMS = {"etcd": "apt-get install etcd-server", "haproxy": "apt-get install haproxy"}
PATRONI = Path(sys.executable).with_name("patroni")


def missing() -> list[str]:
    """How to install the programs that are missing."""
    path = f"{os.environ['PATH']}:/usr/sbin"
    found = [remedy for program, remedy in PROGRAMS.items() if shutil.which(program, path=path) is None]
    return found if PATRONI.exists() else [*found, "uv run --dev --group cluster pytest …"]


class Cluster:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port, self.web_port = free_port(), free_port()
        self.web_servers = [free_port(), free_port()]
        self._rest, self._postgres = [free_port() for _ in NODES], [free_port() for _ in NODES]
        self._etcd, self._peers = [free_port() for _ in NODES], [free_port() for _ in NODES]
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    # --- Start and end

    def start(self) -> None:
        for number in NODES:
            self._start(f"etcd{number}", self._etcd_command(number))
        wait_for(lambda: all(self._healthy(port) for port in self._etcd), 60)
        self._write_haproxy()
        self._start("haproxy", ["/usr/sbin/haproxy", "-db", "-f", str(self.directory / "haproxy.cfg")])
        for number in NODES:
            self._write_patroni(number)
            self.start_node(number)
        self.wait()

    def start_node(self, number: int) -> None:
        patroni = [*ANOTHER_USER, str(PATRONI), str(self.directory / f"node{number}.yml")]
        self._start(f"patroni{number}", patroni, end=False)

    def close(self) -> None:
        for number in NODES:
            self.thaw(number)
        for name, process in self._processes.items():
            if name.startswith("patroni"):
                process.send_signal(signal.SIGTERM)
        for name, process in self._processes.items():
            if name.startswith("patroni"):
                with suppress(subprocess.TimeoutExpired):
                    process.wait(20)
        for number in NODES:
            signal_all(self.postgres_pids(number), signal.SIGKILL)
        for process in self._processes.values():
            process.kill()
            process.wait()

    def _start(self, name: str, arguments: Sequence[str], *, end: bool = True) -> None:
        with (self.directory / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [*ENDS_WITH_US, "TERM", *arguments] if end else arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )

    def _etcd_command(self, number: int) -> list[str]:
        def url(ports: list[int], member: int) -> str:
            return f"http://127.0.0.1:{ports[member]}"

        options = {
            "name": f"etcd{number}",
            "data-dir": str(self.directory / f"etcd{number}"),
            "listen-client-urls": url(self._etcd, number),
            "advertise-client-urls": url(self._etcd, number),
            "listen-peer-urls": url(self._peers, number),
            "initial-advertise-peer-urls": url(self._peers, number),
            "initial-cluster": ",".join(f"etcd{member}={url(self._peers, member)}" for member in NODES),
            "initial-cluster-state": "new",
            "logger": "zap",
            "log-level": "error",
            "heartbeat-interval": "200",
            "election-timeout": "2000",
        }
        return ["etcd", *(f"--{name}={value}" for name, value in options.items())]

    @staticmethod
    def _healthy(port: int) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
                return b"true" in answer.read()
        except OSError:
            return False

    def _write_haproxy(self) -> None:
        nodes = [
            f"    server node{number} 127.0.0.1:{self._postgres[number]} check port {self._rest[number]}"
            for number in NODES
        ]
        servers = [f"    server web{port} 127.0.0.1:{port}" for port in self.web_servers]
        text = (HERE / "haproxy.cfg").read_text()
        filled = text.format(primary=self.port, web=self.web_port, nodes="\n".join(nodes), servers="\n".join(servers))
        (self.directory / "haproxy.cfg").write_text(filled)

    def _write_patroni(self, number: int) -> None:
        text = (HERE / "patroni.yml").read_text()
        filled = text.format(
            name=f"node{number}",
            rest=self._rest[number],
            port=self._postgres[number],
            etcd=", ".join(f"'127.0.0.1:{port}'" for port in self._etcd),
            directory=self.directory,
            programs=postgres_programs(),
        )
        (self.directory / f"node{number}.yml").write_text(filled)

    # --- What it is doing

    def leader(self) -> int | None:
        return next((number for number in NODES if self._get(number, "/primary")[0] == 200), None)

    def sync_standby(self) -> int | None:
        return next((number for number in NODES if self._get(number, "/sync")[0] == 200), None)

    def status(self) -> list[dict[str, Any]]:
        return [self._get(number, "/patroni")[1] for number in NODES]

    def wait(self, seconds: float = 150) -> None:
        """Wait for a primary and two standbys that follow it, one of them synchronous."""

        def whole() -> bool:
            states = self.status()
            following = sum(state.get("replication_state") == "streaming" for state in states)
            running = all(state.get("state") == "running" for state in states)
            return running and following == len(NODES) - 1 and self.sync_standby() is not None

        wait_for(whole, seconds)

    def _get(self, number: int, path: str) -> tuple[int, dict[str, Any]]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._rest[number]}{path}", timeout=1) as answer:
                return answer.status, _read(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _read(error)
        except OSError:
            return 0, {}

    # --- What happens to it

    def postgres_pids(self, number: int) -> list[int]:
        try:
            postmaster = int((self.directory / f"node{number}" / "postmaster.pid").read_text().split()[0])
        except (FileNotFoundError, IndexError):
            return []
        if f"node{number}" not in command(postmaster):
            return []  # it has ended, and its number may be another process's
        return [postmaster, *children(postmaster)]

    def _node_pids(self, number: int) -> list[int]:
        process = self._processes.get(f"patroni{number}")
        return [*([process.pid] if process and process.poll() is None else []), *self.postgres_pids(number)]

    def kill_postgres(self, number: int) -> None:
        signal_all(self.postgres_pids(number), signal.SIGKILL)

    def kill_node(self, number: int) -> None:
        signal_all(self._node_pids(number), signal.SIGKILL)
        self._processes[f"patroni{number}"].wait()

    def freeze_postgres(self, number: int) -> None:
        signal_all(self.postgres_pids(number), signal.SIGSTOP)

    def freeze_node(self, number: int) -> None:
        signal_all(self._node_pids(number), signal.SIGSTOP)

    def thaw(self, number: int) -> None:
        signal_all(self._node_pids(number), signal.SIGCONT)

    def switch_over(self) -> None:
        """Make the synchronous standby the primary, as for planned work."""
        self._patronictl("switchover", "iru", "--primary", f"node{self.leader()}", "--force")

    def restart(self, number: int) -> None:
        self._patronictl("restart", "iru", f"node{number}", "--force")

    def _patronictl(self, *arguments: str) -> None:
        program = str(PATRONI.with_name("patronictl"))
        subprocess.run(
            [program, "-c", str(self.directory / "node0.yml"), *arguments], check=True, capture_output=True, timeout=60
        )

    def new_leader(self, former: int, seconds: float = 60) -> float:
        """Seconds until another node is the primary."""
        start = time.monotonic()
        wait_for(lambda: self.leader() not in (None, former), seconds)
        return time.monotonic() - start


def _read(answer: Any) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(answer.read() or b"{}")
    except ValueError:
        return {}
    return found
