import os
import sys


def main() -> None:
    from iru import environment  # here, so that Ctrl-C is answered below from the first import on

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "iru.settings")
    if sys.argv[1:2] == ["quickstart"]:
        # Settings cannot load without their secrets, so the first start makes them before Django reads anything.
        environment.create_missing()

    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"manage.py: {' '.join(str(error).split())}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        import signal

        signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while Python shuts down ends it without a traceback
        print("manage.py: stopped by Ctrl-C.", file=sys.stderr)  # noqa: T201 - Django may not have been loaded
        sys.exit(128 + signal.SIGINT)
