"""Whether a person has to set up two-step verification before anything else."""

from django.conf import settings
from django.http import HttpRequest

from access.models import Administrator
from access.sign_in.sessions import SECOND_STEP


def is_required(person: Administrator) -> bool:
    """Whether the person's organization, or the installation for an operator, wants two steps of everybody."""
    return person.tenant.second_step_required if person.tenant else settings.IRU_OPERATORS_SECOND_STEP


def is_missing(request: HttpRequest) -> bool:
    """Whether the signed-in person came in with one step where two are required.

    A person who has a second step is never let in without it, so such a session is that of a person who has none.
    """
    person = request.user
    return isinstance(person, Administrator) and is_required(person) and not request.session.get(SECOND_STEP)
