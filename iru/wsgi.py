import os

import django
from django.db import connection

from access.http.cores import ONE_CORE, keep_to_one_core
from access.http.slow_clients import THREADS, TRANSFERS, SlowClients, let_others_run

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "iru.settings")
django.setup(set_prefix=False)

from access.http.handler import Handler  # noqa: E402 - the models load only once Django is set up

# Another server than `serve` sets the number of its threads in the variable; too small a number refuses too early.
application = SlowClients(
    Handler(),
    threads=int(os.environ.get(THREADS, "4")),
    transfers=int(os.environ.get(TRANSFERS, "0")),
)

from access import tracing  # noqa: E402 - the same
from access.tokens import usage  # noqa: E402 - the same

if connection.vendor == "postgresql":
    from access.postgresql.base import limit_waits

    limit_waits()
else:
    from access.sqlite3 import base

    base.let_others_run = let_others_run
if os.environ.get(ONE_CORE):
    keep_to_one_core()  # before any thread starts
usage.start()
tracing.start()
