"""Limits on password attempts: counted per account and per network, and refused before anything is hashed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from access import attempts
from access.addresses import network
from access.attempts import BeyondLimit, key_of
from access.sign_in.attempts import Attempt, Limit, Purpose, TooManyAttempts, report_failure
from access.sign_in.turns import Turns

ATTEMPTS = 10  # within the window of access.attempts
# Of those that come without a name. They prove nothing that could be guessed, and count from their beginning: several
# people behind one address may be at their provider at once.
NAMELESS_ATTEMPTS = 30
turns = Turns()


def count_attempt(attempt: Attempt) -> list[int]:
    """Count one attempt against the account name and against the client's network, before anything is hashed.

    Raises TooManyAttempts after ten within five minutes. Pass the result to `clear_attempts` after a success.
    """
    with _limited(attempt):
        return attempts.count(_keys(attempt), ATTEMPTS if attempt.account else NAMELESS_ATTEMPTS)


def clear_attempts(counted: list[int]) -> None:
    """Remove a successful attempt from the count."""
    attempts.forget(counted)


def throttled[Result](check: Callable[[], Result], attempt: Attempt) -> Result:
    """The result of `check`, which looks at a password; counted as an attempt unless the result is true.

    Raises TooManyAttempts.
    """
    with _limited(attempt):
        attempts.check(_keys(attempt), ATTEMPTS)  # before it waits for a turn, which somebody else can use
    with turns.turn(network(attempt.address)) as granted:
        if not granted:
            raise TooManyAttempts(1, attempt=attempt)
        return counted(check, attempt)


def counted[Result](check: Callable[[], Result], attempt: Attempt) -> Result:
    """The same for a `check` that takes no time, such as of a code: it needs no turn."""
    tried = count_attempt(attempt)
    try:
        result = check()
    except TooManyAttempts as busy:  # the hasher was: this password was not looked at
        clear_attempts(tried)
        busy.attempt = attempt
        raise
    if result:
        clear_attempts(tried)
    else:
        report_failure(attempt)
    return result


@contextmanager
def _limited(attempt: Attempt) -> Iterator[None]:
    """Turn BeyondLimit into TooManyAttempts."""
    try:
        yield
    except BeyondLimit as beyond:
        raise TooManyAttempts(beyond.wait, _keys(attempt)[beyond.key], attempt) from None


def _keys(attempt: Attempt) -> dict[str, Limit]:
    account = attempt.account.strip().lower()
    if attempt.purpose == Purpose.RESET:
        account = f"reset:{account}"  # asking for links pauses no sign-in of that person
    if not account:
        return {key_of("nameless", network(attempt.address)): Limit.ADDRESS}
    return {
        key_of("account", account): Limit.ACCOUNT,
        key_of("address", network(attempt.address)): Limit.ADDRESS,
    }
