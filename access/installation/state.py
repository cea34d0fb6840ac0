"""The state of the installation, as the start page of the operators shows it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db.models import Count, F, Max, Min, Q, Sum
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from access import limits
from access.maintenance.expiries import SOON, expiring
from access.models import ApiToken, Backup, Tenant, TokenUse
from access.tasks.liveness import workers

RARE = timedelta(days=2)  # between two backups
LATE = timedelta(minutes=2)  # a task that waits longer has no worker, or too few of them


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of the start page or of a tenant's page. `url` leads to the rows behind it; `alarm`: it needs a person."""

    label: str
    value: object
    note: str = ""
    url: str = ""
    alarm: bool = False


type Facts = Callable[[], list[Fact]]
type TenantFacts = Callable[[Tenant], list[Fact]]

_more: list[Facts] = []
_of_tenants: list[TenantFacts] = []


def register_facts(facts: Facts) -> None:
    """Have the start page show these facts after our own. An app registers them when it is ready."""
    _more.append(facts)


def register_tenant_facts(facts: TenantFacts) -> None:
    """Have the page of a tenant show these facts."""
    _of_tenants.append(facts)


def installation_facts() -> list[Fact]:
    """The facts of the start page. A fixed number of queries, none of which reads a table of devices."""
    return [*_our_facts(), *(fact for facts in _more for fact in facts()), Fact("Version", settings.VERSION)]


def tenant_facts(tenant: Tenant) -> list[Fact]:
    """The use of the installation by one tenant."""
    uses = TokenUse.objects.filter(token__tenant=tenant).of_last(30)
    people = tenant.administrators.filter(is_active=True).count()
    used = limits.used(tenant.id, tenant.limits)
    return [
        *(fact for facts in _of_tenants for fact in facts(tenant)),
        Fact("Active API tokens", tenant.api_tokens.in_state("active").count()),
        Fact("Calls in 30 days", _calls(uses)),
        Fact("Calls of the hour in use", "unknown" if used is None else f"{used:,} of {tenant.calls_per_hour:,}"),
        Fact("Administrators", people, "who are not suspended"),
    ]


def _our_facts() -> Iterator[Fact]:
    tenants = Tenant.objects.aggregate(all=Count("pk"), suspended=Count("pk", filter=Q(active=False)))
    suspended = f"{tenants['suspended']} suspended" if tenants["suspended"] else ""
    yield Fact("Tenants", tenants["all"], suspended, url="admin:access_tenant_changelist")
    yield Fact(
        "Active API tokens",
        ApiToken.objects.in_state("active").filter(tenant__active=True).count(),
        url="admin:access_apitoken_changelist",
    )
    yield Fact("Calls today", _calls(TokenUse.objects.filter(day=timezone.now().date())), "since midnight, UTC")
    yield _worker()
    yield from _tasks()
    yield _last_backup()
    yield _expiring()


def _calls(uses: object) -> int:
    """The calls in these rows, the denied ones included."""
    found: int | None = uses.order_by().aggregate(all=Sum(F("calls") + F("denied")))["all"]  # type: ignore[attr-defined]
    return found or 0


def _worker() -> Fact:
    found = workers()
    if found.running:
        return Fact("Background workers", f"{found.running} at work")
    if found.alive:
        return Fact("Background workers", "Alive", "waiting for tasks")
    if found.due is None:
        return Fact("Background workers", "None", "No worker has started yet: manage.py worker", alarm=True)
    at = timezone.localtime(found.due).strftime("%Y-%m-%d %H:%M")
    return Fact("Background workers", "None", f"Nothing was enqueued since {at}: manage.py worker", alarm=True)


def _tasks() -> Iterator[Fact]:
    now = timezone.now()
    waiting = DBTaskResult.objects.ready().order_by().aggregate(all=Count("pk"), oldest=Min("enqueued_at"))
    url = "admin:django_tasks_database_dbtaskresult_changelist"
    if waiting["oldest"] is None:
        yield Fact("Oldest waiting task", "None waits", url=url)
    else:
        age = now - waiting["oldest"]
        yield Fact("Oldest waiting task", _duration(age), f"{waiting['all']} wait", url=url, alarm=age > LATE)
    failed = DBTaskResult.objects.failed().order_by().count()
    yield Fact("Failed tasks", failed, "in 30 days" if failed else "", url=url, alarm=failed > 0)


def _last_backup() -> Fact:
    last = Backup.objects.aggregate(last=Max("finished_at"))["last"]
    if last is None:
        return Fact("Last backup", "None", "manage.py backup", alarm=True)
    age = timezone.now() - last
    return Fact("Last backup", f"{_duration(age)} ago", alarm=age > RARE)


def _expiring() -> Fact:
    """What ends soon or has ended, and is renewed by people."""
    found = sorted((each.at, each.name) for list_them in expiring for each in list_them(timezone.now() + SOON))
    if not found:
        return Fact("Expires soon", 0, "within 30 days")
    at, name = found[0]
    return Fact("Expires soon", len(found), f"{name}, {at:%Y-%m-%d}", alarm=True)


def _duration(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    if minutes < 1:
        return "less than a minute"
    if minutes < 120:
        return f"{minutes} minute{'' if minutes == 1 else 's'}"
    return f"{minutes // 60} hours" if minutes < 48 * 60 else f"{minutes // 1440} days"
