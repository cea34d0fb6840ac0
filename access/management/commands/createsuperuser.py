from typing import Any

from django.contrib.auth.management.commands import createsuperuser

from access.audit.events import Actor
from access.models import Administrator
from access.models.admins import AdministratorManager
from access.people.operators import create_operator


class _Operators(AdministratorManager):
    """The manager through which Django's command creates the operator: by the room, which writes the event."""

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> Administrator:
        return create_operator(email=email, password=password, actor=Actor.command("createsuperuser"))


class _Model:
    """Administrator, with that manager."""

    def __init__(self) -> None:
        self._default_manager = _Operators()
        self._default_manager.model = Administrator

    def __getattr__(self, name: str) -> Any:
        return getattr(Administrator, name)

    def __call__(self, **fields: Any) -> Administrator:
        return Administrator(**fields)


class Command(createsuperuser.Command):
    help = "Create an operator: a person of no tenant, who may do everything in Django admin."

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.UserModel = _Model()  # type: ignore[assignment]
