import logging
import os
import secrets
import string
from typing import Any, NamedTuple, cast

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, transaction
from django.utils import timezone

from access.audit.events import Actor
from access.management.serving import (
    Server,
    beside,
    check_connection,
    check_scheme,
    free_address,
    ignore_signals,
    one_line,
    stop_on_signals,
    workers,
)
from access.models import Administrator, Role, Tenant
from access.people.administrators import create_administrator
from access.people.operators import create_operator
from access.people.tenants import create_tenant
from devices.demo.fleet import load_demo_fleet

OWNER = "owner@accuhive.example"
OPERATOR = "operator@accuhive.example"
ALPHABET = "".join(sorted(set(string.ascii_letters + string.digits) - set("0O1lI")))  # none that reads like another
LOCAL = {"localhost", "127.0.0.1", "::1"}
EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104 - recognised, not chosen


class Account(NamedTuple):
    who: str
    email: str
    password: str


class Command(BaseCommand):
    help = "Start Iru Endpoint on this machine: set up what is missing, say where it is, and serve it until Ctrl-C."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to serve on (default: %(default)s)")
        parser.add_argument("--port", type=int, default=8000, help="port to serve on (default: %(default)s)")
        parser.add_argument("--no-fleet", action="store_true", help="start with a tenant that has no devices")

        parser.add_argument(
            "--simulate",
            type=int,
            default=0,
            metavar="N",
            help="enroll N simulated devices, which obey commands within seconds; they are marked as simulated",
        )

    def handle(self, *args: Any, host: str, port: int, no_fleet: bool, simulate: int, **options: Any) -> None:
        stop_on_signals()
        try:
            check_scheme(None)
            address = free_address(host, port)
            _tell_settings(host, port)
            self._set_up(host, with_fleet=not no_fleet)
            self._print(f"\nServing on {host} port {port}. Press Ctrl-C to stop.")
            if simulate:
                self._print(f"{simulate} simulated devices enroll, in Devices. They obey commands within seconds.")
            with workers(1, quiet=True), beside(_simulation(simulate, port)):
                Server(address=address, port=port, quiet=True).run()
        except KeyboardInterrupt:
            pass  # the first set-up is one transaction: unfinished, it is not there, and the next start begins anew
        ignore_signals()
        self._print("Stopped.")

    def _set_up(self, host: str, *, with_fleet: bool) -> None:
        check_connection()
        logging.disable(logging.INFO)  # the summary below says it in sentences
        try:
            call_command("migrate", interactive=False, verbosity=0)
            call_command("collectstatic", interactive=False, verbosity=0)
            accounts = self._first_start(with_fleet=with_fleet)
        except DatabaseError as error:
            raise CommandError(f"The database cannot be set up: {one_line(error)}") from None
        except OSError as error:
            raise CommandError(f"{error.filename or settings.STATIC_ROOT}: {error.strerror or error}") from None
        finally:
            logging.disable(logging.NOTSET)
        self._tell(accounts, host)

    def _first_start(self, *, with_fleet: bool) -> list[Account]:
        """Fill an empty database, wholly or not at all. Returns the accounts made, none for a database in use."""
        with transaction.atomic():
            if Tenant.objects.exists():
                return []
            actor = Actor.command("quickstart")
            tenant = create_tenant(name="Accuhive", subdomain="accuhive", actor=actor)
            chosen = os.environ.get("IRU_OWNER_PASSWORD", "")
            strong = not chosen or self._is_strong(chosen)
            accounts = [Account("Account Owner", OWNER, "as IRU_OWNER_PASSWORD says" if chosen else _password())]
            owner = create_administrator(
                tenant=tenant,
                email=OWNER,
                role=Role.OWNER,
                actor=actor,
                first_name="Ana",
                last_name="Ruiz",
                password=(chosen or accounts[0].password) if strong else None,
            )
            if not strong:
                # create_administrator refuses weak passwords. An automated local start may have one, after a warning.
                owner.set_password(chosen)
                owner.joined_at = timezone.now()
                owner.save(update_fields=["password", "joined_at"])
            if not Administrator.objects.filter(email=OPERATOR).exists():
                accounts.append(Account("Operator", OPERATOR, _password()))
                create_operator(email=OPERATOR, password=accounts[1].password, actor=actor)
            if with_fleet:
                load_demo_fleet(tenant=tenant, actor=actor)
        return accounts

    def _is_strong(self, password: str) -> bool:
        try:
            validate_password(password, Administrator(email=OWNER, first_name="Ana", last_name="Ruiz"))
        except ValidationError as error:
            self.stderr.write(f"Warning: IRU_OWNER_PASSWORD is weak. {' '.join(error.messages)}")
            return False
        return True

    def _tell(self, accounts: list[Account], host: str) -> None:
        # The address as a browser asks for it; "localhost" wherever that is what is served.
        named = [name for name in settings.IRU_WEB_HOSTS if name not in {"127.0.0.1", "[::1]"}]
        served = _name(host) if host not in LOCAL | EVERYWHERE else (named or ["localhost"])[0]
        web = f"{settings.IRU_SCHEME}://{served}:{settings.IRU_PORT}"
        lines = [("Web", f"{web}/"), ("Django admin", f"{web}/admin/")]
        if tenant := Tenant.objects.filter(subdomain="accuhive").first() or Tenant.objects.order_by("pk").first():
            lines.append(("API", tenant.api_url))
        if settings.IRU_BARE_API_HOSTS:
            lines.append(("API, bare", f"{web}/api/v1"))
        self._print("\nIru Endpoint is ready.")
        self._print("")
        self._print("\n".join(f"  {name:<15}{url}" for name, url in lines))
        if accounts:
            width = max(len(account.email) for account in accounts) + 2
            self._print("")
            for who, email, password in accounts:
                self._print(f"  {who:<15}{email:<{width}}{password}")
            self._print(
                "\nThe passwords are not shown again. Should one be lost: uv run manage.py changepassword EMAIL"
            )
        else:
            self._print(
                "\nEverything is as it was left. A lost password is replaced by: uv run manage.py changepassword EMAIL"
            )

    def _print(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()  # a program that reads this through a pipe waits for it


def _tell_settings(host: str, port: int) -> None:
    """Let URLs carry the port, and requests come under the host: here, and in the server process, which reads anew."""
    settings.IRU_PORT = port
    os.environ["IRU_PORT"] = str(port)
    hosts = f"{settings.IRU_SCHEME}://*.api.{settings.IRU_DOMAIN}"
    sources = cast("list[str]", settings.SECURE_CSP["connect-src"])
    # Pages upload files to the API hosts. At the first start the settings had no port, so it is added here.
    settings.SECURE_CSP["connect-src"] = [f"{hosts}:{port}" if each.startswith(hosts) else each for each in sources]
    _remember("IRU_PORT", port)  # for the commands that tell addresses too
    if host in EVERYWHERE:
        return
    name = _name(host)
    for setting in ("IRU_WEB_HOSTS", "IRU_BARE_API_HOSTS"):
        names = getattr(settings, setting)
        if name not in names:
            names.append(name)
            settings.ALLOWED_HOSTS.append(name)
        os.environ[setting] = ",".join(names)


def _simulation(devices: int, port: int) -> list[list[str]]:
    """The command that simulates so many devices with the server of this port."""
    options = ["--devices", str(devices), "--tenant", "accuhive", "--url", f"http://127.0.0.1:{port}", "--every", "2"]
    return [["mdm_simulate", *options, "--verbosity=0"]] if devices else []


def _name(host: str) -> str:
    """As it stands in a URL and in a Host header."""
    return f"[{host}]" if ":" in host else host


def _password() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(24))


def _remember(name: str, value: object) -> None:
    # Only in a file that quickstart made: one that somebody wrote is theirs, and one that cannot be written is left.
    line = f"{name}={value}"
    try:
        lines = settings.ENV_FILE.read_text(encoding="utf-8").splitlines()
        if not lines or "quickstart" not in lines[0] or line in lines:
            return
        kept = [each for each in lines if not each.startswith(f"{name}=")]
        fresh = settings.ENV_FILE.with_name(f"{settings.ENV_FILE.name}.{os.getpid()}")
        fresh.touch(0o600)
        fresh.write_text("\n".join([*kept, line]) + "\n", encoding="utf-8")
        fresh.replace(settings.ENV_FILE)  # in one step, so that no reader sees half a file
    except OSError:
        return
