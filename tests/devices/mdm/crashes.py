"""A server that ends at any of its statements."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from django.db import connection
from hypothesis import strategies as st

# One connect in three ends in a crash of the server at one of its first statements.
crashes = st.one_of(st.none(), st.none(), st.integers(0, 30))


class Crash(BaseException):
    """The process of the server ends here. Nothing in it can catch that."""


@contextmanager
def crashing(at: int | None) -> Iterator[None]:
    """Inside, the statement with this number is never carried out, nor any after it."""
    if at is None:
        yield
        return
    statements = count()

    def execute(run: Callable[..., Any], *arguments: Any) -> Any:
        if next(statements) == at and not arguments[0].startswith("ROLLBACK"):
            raise Crash
        return run(*arguments)

    with connection.execute_wrapper(execute):
        yield
