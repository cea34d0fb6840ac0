import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "iru.settings")
application = get_wsgi_application()

from access.tokens import usage  # noqa: E402 - the models load only once Django is set up

usage.start()
