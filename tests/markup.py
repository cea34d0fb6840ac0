"""Markup as a browser reads it, so that a test asks for what an element says and not for how it is written."""

import re
from html import unescape
from html.parser import HTMLParser


class _Collector(HTMLParser):
    def __init__(self, tag: str) -> None:
        super().__init__()
        self.tag = tag
        self.found: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == self.tag:
            self.found.append(dict(attrs))


def elements(page: str, tag: str) -> list[dict[str, str | None]]:
    """The attributes of every element of that tag."""
    collector = _Collector(tag)
    collector.feed(page)
    return collector.found


def checked(page: str) -> set[str | None]:
    """The values of the boxes that are ticked."""
    return {box.get("value") for box in elements(page, "input") if "checked" in box}


def facts(page: str) -> dict[str, str]:
    """What each term of the page's lists of facts says, without markup."""
    return {_words(term): _words(value) for term, value in re.findall(r"(?s)<dt>(.*?)</dt>\s*<dd>(.*?)</dd>", page)}


def _words(markup: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", "", markup)).split())
