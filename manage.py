#!/usr/bin/env python
import os
import sys

from iru import environment


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "iru.settings")
    if sys.argv[1:2] == ["quickstart"]:
        # Settings cannot load without their secrets, so the first start makes them before Django reads anything.
        os.umask(0o077)  # the database and the settings file are their owner's alone
        environment.create_missing()

    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"manage.py: {' '.join(str(error).split())}")


if __name__ == "__main__":
    main()
