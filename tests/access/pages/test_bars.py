"""Counts as bars: the longest bar has the full width, and only the count 0 has no bar."""

from django.template.loader import render_to_string

from access.pages.bars import SHORTEST, Bar, drawn


def test_the_length_is_the_share_of_the_largest_count() -> None:
    rows = drawn(Bar(label=str(count), count=count) for count in (50, 200, 0, 1))
    assert [row.share for row in rows] == [25.0, 100.0, 0, SHORTEST]
    assert drawn([]) == []
    assert [row.share for row in drawn([Bar(label="none", count=0)])] == [0]


def test_a_bar_is_a_link_to_what_was_counted_and_says_its_number() -> None:
    rows = drawn([Bar(label="<macOS>", count=1234, href="/devices/?os=a&b"), Bar(label="tvOS", count=1)])
    text = render_to_string("components/bars.html", {"rows": rows, "label": "Systems", "noun": "devices"})
    assert '<a href="/devices/?os=a&amp;b">' in text
    assert "&lt;macOS&gt;" in text
    assert '1,234<span class="sr-only"> devices</span>' in text
    assert text.count("<a ") == 1
