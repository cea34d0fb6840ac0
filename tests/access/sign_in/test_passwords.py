"""Which new passwords are accepted: long ones that are in no list of common ones, whatever they consist of."""

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from access.models import Administrator, Tenant
from tests.factories.access import AdministratorFactory, AuthenticatorFactory


@pytest.fixture
def person(tenant: Tenant) -> Administrator:
    return AdministratorFactory.create(tenant=tenant, email="person@accuhive.test")


def refusals(password: str, person: Administrator) -> set[str]:
    """The codes of the rules that refuse the password."""
    try:
        validate_password(password, person)
    except ValidationError as refused:
        return {str(error.code) for error in refused.error_list}
    return set()


def test_fifteen_characters_are_enough_and_fourteen_are_not(person: Administrator) -> None:
    assert refusals("zebra kayak fo", person) == {"password_too_short"}
    assert refusals("zebra kayak fog", person) == set()


def test_a_second_step_makes_eight_characters_enough_and_not_seven(person: Administrator) -> None:
    AuthenticatorFactory.create(user=person)
    assert refusals("zebra k", person) == {"password_too_short"}
    assert refusals("zebra ka", person) == set()


def test_a_common_password_is_refused_however_long(person: Administrator) -> None:
    assert refusals("1q2w3e4r5t6y7u8i9o0p", person) == {"password_too_common"}


@pytest.mark.parametrize("password", ["zebrakayakfogtin", "ZEBRAKAYAKFOGTIN", "7305528946173052", "\N{CAT FACE}" * 15])
def test_no_kind_of_character_is_demanded(person: Administrator, password: str) -> None:
    assert refusals(password, person) == set()
