"""manage.py api_token: create, list and revoke API tokens from scripts."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import IO, Any, cast
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Count
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from rich.console import Console
from rich.table import Table

from access.audit.events import Actor
from access.management.refusals import in_one_line
from access.models import ApiToken, Tenant
from access.permissions import catalogue
from access.tokens import digests
from access.tokens.lifecycle import create_token, revoke_token

ACTOR = Actor.command("api_token")


class Command(BaseCommand):
    help = "Create, list and revoke a tenant's API tokens."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)

        def action(name: str, run: Callable[..., None], about: str) -> CommandParser:
            subparser: CommandParser = actions.add_parser(name, help=about, description=about)
            subparser.set_defaults(run=run)
            return subparser

        create = action("create", self.create, "Issue a token and print it: the only time it is shown.")
        create.add_argument("--name", required=True)
        create.add_argument("--description", default="")
        create.add_argument(
            "--permissions",
            action="append",
            default=[],
            metavar="CODENAMES",
            help="comma-separated codenames, `read-only` (every GET except device secrets) or `all`; may be repeated",
        )
        create.add_argument("--expires", metavar="WHEN", help="ISO date (the token's last day) or date and time")
        create.add_argument(
            "--networks",
            action="append",
            default=[],
            metavar="NETWORKS",
            help="comma-separated networks, such as 203.0.113.0/24, that calls may come from; may be repeated",
        )
        create.add_argument("--mcp", action="store_true", help="AI assistants may use the token through MCP")
        create.add_argument(
            "--mcp-sensitive", action="store_true", help="with --mcp: its sensitive permissions are tools, too"
        )

        list_ = action("list", self.list, "List the tokens that are not revoked.")

        revoke = action("revoke", self.revoke, "Revoke a token for good.")
        revoke.add_argument("token", help="its id, or its name where only one token has it")

        keys = action(
            "keys", self.keys, "Count the tokens under each key of IRU_TOKEN_KEYS. A key without tokens can be removed."
        )

        for each in (create, list_, revoke):
            each.add_argument("--tenant", required=True, metavar="SUBDOMAIN")
        keys.add_argument("--tenant", metavar="SUBDOMAIN", help="this one only")
        for each in (create, list_, keys):
            each.add_argument("--json", action="store_true", dest="as_json")

    def handle(self, *args: Any, run: Callable[..., None], tenant: str | None, **options: Any) -> None:
        found = Tenant.objects.filter(subdomain=tenant).first() if tenant else None
        if tenant and found is None:
            raise CommandError(f"There is no tenant {tenant}.")
        with in_one_line():
            run(tenant=found, **options)

    def create(
        self,
        *,
        tenant: Tenant,
        name: str,
        description: str,
        permissions: list[str],
        expires: str | None,
        networks: list[str],
        mcp: bool,
        mcp_sensitive: bool,
        as_json: bool,
        **options: Any,
    ) -> None:
        if mcp_sensitive and not mcp:
            raise CommandError("--mcp-sensitive needs --mcp.")
        issued = create_token(
            tenant=tenant,
            name=name,
            description=description,
            permissions=catalogue.named(_words(permissions)),
            expires_at=_moment(expires) if expires else None,
            networks=_words(networks),
            mcp=mcp,
            mcp_sensitive=mcp_sensitive,
            actor=ACTOR,
        )
        token = issued.token
        if as_json:
            self._write_json(
                {
                    "id": str(token.id),
                    "name": token.name,
                    "token": issued.secret,
                    "permissions": token.permissions,
                    "api_url": tenant.api_url,
                    **({"mcp_url": tenant.mcp_url} if token.mcp else {}),
                }
            )
            return
        self.stdout.write(issued.secret)
        self.stderr.write(
            f"{token.name}: {len(token.permissions)} permissions, API URL {tenant.api_url}. Copy the token now: "
            "it is not shown again."
        )

    def list(self, *, tenant: Tenant, as_json: bool, **options: Any) -> None:
        tokens = tenant.api_tokens.listed()
        if as_json:
            self._write_json([_as_json(token) for token in tokens])
            return
        table = Table("Id", "Name", "Permissions", "Created", "By", "Last used", "Expires")
        for token in tokens:
            table.add_row(
                str(token.id),
                token.name,
                str(token.granted_count),
                _day(token.created_at),
                token.created_by_name,
                _day(token.last_used_at) or "never",
                "expired" if token.expired else _day(token.expires_at),
            )
        width = None if self.stdout.isatty() else 160  # a file or a pipe has no width, and no cell may be cut off
        Console(file=cast("IO[str]", self.stdout), markup=False, width=width).print(table)

    def revoke(self, *, tenant: Tenant, token: str, **options: Any) -> None:
        found = self._find(tenant, token)
        revoke_token(tenant=tenant, token_id=found.id, actor=ACTOR)
        self.stderr.write(f"{found.name} ({found.id}) is revoked.")

    def keys(self, *, tenant: Tenant | None, as_json: bool, **options: Any) -> None:
        tokens = ApiToken.objects.filter(revoked_at__isnull=True)
        if tenant:
            tokens = tokens.filter(tenant=tenant)
        counts = dict(tokens.order_by("key_number").values_list("key_number").annotate(Count("id")))
        known = digests.key_numbers()
        rows = [
            {"key": number, "tokens": counts.get(number, 0), "known": number in known}
            for number in [*known, *(number for number in counts if number not in known)]
        ]
        if as_json:
            self._write_json(rows)
            return
        for row in rows:
            lost = "" if row["known"] else " (not in IRU_TOKEN_KEYS: these tokens are refused)"
            self.stdout.write(f"key {row['key']}: {row['tokens']} tokens{lost}")

    def _find(self, tenant: Tenant, text: str) -> ApiToken:
        try:
            matching = tenant.api_tokens.listed().filter(id=UUID(text))
        except ValueError:
            matching = tenant.api_tokens.listed().filter(name=text)
        match list(matching[:2]):
            case [token]:
                return token
            case []:
                raise CommandError(f"{tenant.subdomain} has no token {text}.")
            case _:
                raise CommandError(f"Several tokens are called {text}. Give the id of one: see `api_token list`.")

    def _write_json(self, value: Any) -> None:
        self.stdout.write(json.dumps(value, indent=2))


def _words(parts: list[str]) -> list[str]:
    """The words of options that may be repeated, and hold several words with commas between them."""
    return [word.strip() for part in parts for word in part.split(",") if word.strip()]


def _moment(text: str) -> datetime:
    try:
        date = parse_date(text)
        moment = datetime.combine(date, datetime.max.time()) if date else parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise CommandError(f"{text} is not a date such as 2027-01-31 or 2027-01-31T18:00+00:00.")
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)


def _day(moment: datetime | None) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d}" if moment else ""


def _as_json(token: ApiToken) -> dict[str, Any]:
    return {
        "id": str(token.id),
        "name": token.name,
        "description": token.description,
        "permissions": token.permissions,
        "created_at": token.created_at.isoformat(),
        "created_by": token.created_by_name,
        "last_used_at": token.last_used_at.isoformat() if token.last_used_at else None,
        "expires_at": token.expires_at.isoformat() if token.expires_at else None,
    }
