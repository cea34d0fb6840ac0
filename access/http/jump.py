"""The search over all pages (⌘K). An app adds the kinds of objects that it finds in its `urls.py`."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import reduce
from itertools import islice
from operator import and_, or_
from typing import Any, Concatenate

from django.db.models import Case, Model, Q, QuerySet, Value, When
from django.urls import reverse

from access.http.navigation import Item, access_tabs, allowed, navigation
from access.models import Administrator, Tenant
from access.roles import Capability, may

LONGEST = 100  # characters of a query
WORDS = 8  # of a query; those behind them are ignored
HITS = 5  # of a kind; a link to the search of its list may follow them
LAST = "\U0010ffff"  # sorts behind every other character


@dataclass(frozen=True, slots=True)
class Hit:
    """One place. `about` tells it from others of the same name; `dialog`: it opens over the current page."""

    label: str
    url: str
    icon: str
    about: str = ""
    dialog: bool = False
    danger: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """What a person looks for. `words` are those of `text`, in lower case."""

    person: Administrator
    tenant: Tenant
    text: str
    words: tuple[str, ...] = field(init=False)
    _found: dict[tuple[Any, ...], Any] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        # A database refuses a null character, and takes no surrogate.
        text = " ".join(re.sub(r"[\0\ud800-\udfff]", " ", self.text[:LONGEST]).split())
        object.__setattr__(self, "text", text)
        # An apostrophe is typed straight and stored curved: the words around it are looked for.
        words = re.sub(r"['\u2018\u2019]", " ", text.casefold()).split()
        object.__setattr__(self, "words", tuple(dict.fromkeys(words))[:WORDS])

    def once[**P, T](self, find: Callable[Concatenate[Tenant, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `find` returns in the tenant. Two sources that ask for the same share one search."""
        key = (find, args, tuple(kwargs.items()))
        if key not in self._found:
            self._found[key] = find(self.tenant, *args, **kwargs)
        result: T = self._found[key]
        return result


@dataclass(frozen=True, slots=True)
class Source:
    """A kind of hits under its heading. `find` returns the best first; people without `capability` do not see them."""

    label: str
    find: Callable[[Question], Iterable[Hit]]
    capability: Capability = Capability.VIEW


@dataclass(frozen=True, slots=True)
class Group:
    label: str
    hits: list[Hit]


def found(question: Question) -> list[Group]:
    """The hits of each kind that this person may open. For a question without a word: the pages."""
    asked = sources if question.words else [PAGES]
    groups = [
        Group(source.label, list(islice(source.find(question), HITS + 1 if question.words else None)))
        for source in asked
        if may(question.person, source.capability)
    ]
    return [group for group in groups if group.hits]


def named[M: Model](rows: QuerySet[M], question: Question, *fields: str) -> QuerySet[M]:
    """The rows in which every word occurs in one of the fields. Those whose first field begins with the text are first.

    For tables with some thousands of rows of a tenant: it reads all of them.
    """
    first = Case(When(Q((f"{fields[0]}__istartswith", question.text)), Value(0)), default=Value(1))
    return rows.filter(every(question.words, *fields)).order_by(first, fields[0], "pk")[:HITS]


def some(words: Iterable[str], *fields: str) -> Q:
    """Any of the words occurs in any of the fields, in either case."""
    return reduce(or_, (Q((f"{name}__icontains", word)) for word in words for name in fields), Q())


def every(words: Iterable[str], *fields: str) -> Q:
    """Each of the words occurs in one of the fields, in either case."""
    return reduce(and_, (some([word], *fields) for word in words), Q())


def begins(name: str, text: str) -> Q:
    """The field begins with the text, in this case. Every database finds such a range in its index, unlike a LIKE."""
    return Q((f"{name}__gte", text), (f"{name}__lt", text + LAST), (f"{name}__startswith", text))


def _pages(question: Question) -> Iterable[Hit]:
    items: list[Item] = [*allowed(navigation, question.person), *allowed(access_tabs, question.person), ACCOUNT]
    for item in items:
        if all(word in item.label.casefold() for word in question.words):
            yield Hit(item.label, reverse(item.url_name), item.icon)


def _tokens(question: Question) -> Iterable[Hit]:
    tokens = question.tenant.api_tokens.filter(revoked_at__isnull=True).only("name", "description")
    for token in named(tokens, question, "name", "description"):
        yield Hit(token.name, reverse("token", args=[token.pk]), "key-round", token.description.partition("\n")[0])


ACCOUNT = Item("Your account", "circle-user-round", "account")
PAGES = Source("Pages", _pages)
sources: list[Source] = [PAGES, Source("API tokens", _tokens, Capability.MANAGE_ACCESS)]
