"""The shared components in every state, for the author of the next page. Served only in DEBUG, without any data."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from access.http.context_processors import THEMES
from access.pages.bars import Bar, drawn
from access.pages.forms.asking import Form
from access.pages.responses import fragment

LONG = "Compliance export for the EU auditors, quarterly evidence collection and every later need"
WORD = "Featherstonehaugh" * 8
NAMES = ["Okta Workflows", LONG, WORD, *(f"Integration {number}" for number in range(1, 58))]
PER_PAGE = 25
TONES_OF_BARS = {"danger": 12, "warning": 1840, "info": 90_210, "success": 3, "": 40_000, "muted": 0}


class ExampleForm(Form):
    """A field of each form that `components/field.html` draws."""

    name = forms.CharField(max_length=100, help_text="The name that every list shows.")
    notes = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}))
    role = forms.ChoiceField(choices=[("admin", "Admin"), ("auditor", "Auditor")])
    serial_number = forms.CharField(required=False, disabled=True, initial="C02XK1ZYJG5J")
    confirmed = forms.BooleanField(label="I have read what will happen.", help_text="It cannot be undone.")
    tags = forms.MultipleChoiceField(
        required=False,
        choices=[(str(number), f"Tag {number}") for number in range(1, 13)],
        widget=forms.CheckboxSelectMultiple,
        help_text="More than eight choices scroll.",
    )


@require_GET
def styleguide(request: HttpRequest) -> HttpResponse:
    """The whole page; for htmx the rows of its list, or the content of its dialog."""
    if not settings.DEBUG:
        raise Http404
    text = request.GET.get("q", "").strip()
    found = [{"name": name, "calls": number} for number, name in enumerate(NAMES) if text.casefold() in name.casefold()]
    theme = request.GET.get("theme")
    context: dict[str, Any] = {
        "theme": theme if theme in THEMES else "system",
        "page": Paginator(found, PER_PAGE).get_page(request.GET.get("page")),
        "query": urlencode({"q": text}) if text else "",
        "text": text,
        "nothing_found": Paginator([], PER_PAGE).page(1),
        "form": ExampleForm(),
        "refused": _refused(),
        "long": LONG,
        "word": WORD,
        "bars": drawn(
            Bar(label=tone or "plain", count=count, href="?bar", tone=tone) for tone, count in TONES_OF_BARS.items()
        ),
        "long_bars": drawn(
            Bar(label=label, count=count) for label, count in {LONG: 7, WORD: 1_000_000, "macOS 26.1": 1}.items()
        ),
        "looks": ["button", "button primary", "button danger", "button danger solid", "button small", "link"],
        "tones": ["", "success", "info", "warning", "danger"],
    }
    piece = "rows" if request.headers.get("HX-Target") == "rows" else "dialog"
    return fragment(request, "access/styleguide.html", piece, context)


def _refused() -> ExampleForm:
    form = ExampleForm({}, auto_id="refused_%s")
    form.add_error(None, "The name and the role do not go together.")
    return form
