from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from access.management.exporter import exporting
from access.management.serving import (
    Server,
    check_connection,
    check_database,
    check_scheme,
    check_static_files,
    free_address,
    stop_on_signals,
    workers,
)


class Command(BaseCommand):
    help = "Serve the pages and the API, and with --with-worker the background work too, until SIGTERM or Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        number: dict[str, Any] = {"type": _positive, "metavar": "N"}
        add("--host", default="127.0.0.1", help="address to serve on (default: %(default)s)")
        add("--port", type=int, default=8000, help="port to serve on (default: %(default)s)")
        add("--processes", **number, default=1, help="server processes, one a core (default: %(default)s)")
        add("--threads", **number, default=4, help="threads of each process (default: %(default)s)")
        add(
            "--any-core",
            action="store_true",
            help="let a process move from core to core; kept to one core, it answers almost twice as many",
        )
        add("--transfers", **number, default=8, help="files that a process sends or receives (default: %(default)s)")
        add("--backpressure", **number, help="connections that a process has open at once (default: 1024 / processes)")
        add(
            "--header-timeout",
            **number,
            default=30,
            help="seconds for headers, or with none (default: %(default)s)",
        )
        add("--kill-timeout", **number, default=5, help="seconds for open requests at the end (default: %(default)s)")
        add(
            "--drain",
            type=_natural,
            metavar="N",
            default=0,
            help="seconds to serve on after the signal to stop, while /readyz says so (default: %(default)s)",
        )
        add(
            "--wait-for-migrations",
            type=_natural,
            metavar="N",
            default=0,
            help="start before `migrate`, and let requests wait for it, so many seconds at most (default: %(default)s)",
        )
        add("--certificate", type=Path, help="TLS certificate, where no proxy ends TLS")
        add("--key", type=Path, help="its private key, PKCS#8")
        add(
            "--with-worker",
            **number,
            nargs="?",
            const=1,
            default=0,
            help="run N workers (one by default) beside the server",
        )
        add("--metrics", metavar="HOST:PORT", help="serve metrics for Prometheus there, such as 127.0.0.1:9464")

    def handle(self, *args: Any, host: str, port: int, with_worker: int, metrics: str | None, **options: Any) -> None:
        stop_on_signals()
        try:
            server = Server(
                address=free_address(host, port),
                port=port,
                processes=options["processes"],
                threads=options["threads"],
                transfers=options["transfers"],
                any_core=options["any_core"],
                backpressure=options["backpressure"],
                header_timeout=options["header_timeout"],
                kill_timeout=options["kill_timeout"],
                drain=options["drain"],
                migration_wait=options["wait_for_migrations"],
                certificate=options["certificate"],
                key=options["key"],
            )
            _check_files(server.certificate, server.key)
            check_scheme(server.certificate)
            if server.migration_wait:
                check_connection()
            else:
                check_database()
            check_static_files()
            with exporting(metrics), workers(with_worker):
                server.run()
        except KeyboardInterrupt:
            pass


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise ArgumentTypeError(f"{text} is not a number from 1 on.")
    return int(text)


def _natural(text: str) -> int:
    return 0 if text == "0" else _positive(text)


def _check_files(certificate: Path | None, key: Path | None) -> None:
    if (certificate is None) != (key is None):
        raise CommandError("--certificate and --key go together.")
    for path in (certificate, key):
        if path is not None and not path.is_file():
            raise CommandError(f"There is no file {path}.")
