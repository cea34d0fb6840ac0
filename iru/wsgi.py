import os

from django.core.wsgi import get_wsgi_application

from access.http.slow_clients import THREADS, TRANSFERS, SlowClients

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "iru.settings")
# Another server than `serve` sets the number of its threads in the variable; too small a number refuses too early.
application = SlowClients(
    get_wsgi_application(),
    threads=int(os.environ.get(THREADS, "4")),
    transfers=int(os.environ.get(TRANSFERS, "0")),
)

from access import tracing  # noqa: E402 - the models load only once Django is set up
from access.postgresql.base import limit_waits  # noqa: E402 - the same
from access.tokens import usage  # noqa: E402 - the same

limit_waits()
usage.start()
tracing.start()
