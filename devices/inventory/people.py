"""UserList: where its answers go."""

from typing import Any

from devices.inventory.answers import Answer, flag, given, integer, rows, text
from devices.inventory.reports import Report, store_answer
from devices.models import Device

FIRST_PERSON = 500  # macOS gives its own accounts lower numbers


def store_users(device: Device, answer: Answer) -> int | None:
    """Store the accounts of a locked Mac. Returns their number; None for an answer without a list."""
    said = rows(answer, "Users")
    if said is None:
        return None
    users = sorted((user for user in said if text(user, "UserName", most=255)), key=_name)
    people = [user for user in users if not _is_system(user)]
    store_answer(
        device,
        "user_list",
        users,
        lambda: Report(
            details={
                "users": {
                    "regular_users": [_user(user) for user in people],
                    "system_users": [_user(user) for user in users if _is_system(user)],
                }
            },
            prism={"local_users": [_row(user) for user in people]},
            derived=frozenset({"local_users"}),
        ),
    )
    return len(users)


def _name(user: Answer) -> str:
    return text(user, "UserName", most=255) or ""


def _is_system(user: Answer) -> bool:
    number = integer(user, "UID")
    return number is not None and number < FIRST_PERSON


def _user(user: Answer) -> dict[str, Any]:
    number = integer(user, "UID")
    return given(username=_name(user), uid=None if number is None else str(number), name=text(user, "FullName"))


def _row(user: Answer) -> dict[str, Any]:
    return given(
        username=_name(user),
        uid=integer(user, "UID"),
        full_name=text(user, "FullName"),
        generated_uid=text(user, "UserGUID", most=100),
        logged_in=flag(user, "IsLoggedIn"),
        mobile_account=flag(user, "MobileAccount"),
        secure_token=flag(user, "HasSecureToken"),
    )
