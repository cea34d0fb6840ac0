import logging
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from access.management.exporter import exporting
from access.management.serving import check_database
from access.tasks.worker import Worker


class Command(BaseCommand):
    help = "Run background work: mail, periodic clean-up, and whatever else was enqueued. Start as many as you like."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--parent", type=int, metavar="PID", help="stop when this process is no longer the parent")
        parser.add_argument("--metrics", metavar="HOST:PORT", help="serve metrics for Prometheus there")

    def handle(self, *args: Any, parent: int | None, verbosity: int, metrics: str | None, **options: Any) -> None:
        if verbosity == 0:
            logging.disable(logging.INFO)
        check_database()
        worker = Worker(parent=parent)
        with exporting(metrics), worker.signals():
            worker.run()
