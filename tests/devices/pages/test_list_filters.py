"""The form of search and filters that all lists share."""

import pytest

import iru.urls  # noqa: F401 - imports every page, and so the form of every list
from access.models import Tenant
from access.pages.forms.filters import ListFilter

FORMS = {form.__name__: form for form in ListFilter.__subclasses__()}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_blanks_around_the_search_mean_nothing(form: type[ListFilter], tenant: Tenant) -> None:
    padded, plain = (form({"q": text}, tenant=tenant) for text in ("  Zoë's  ", "Zoë's"))
    assert padded.chosen == plain.chosen == {"q": "Zoë's"}
    found = [str(each.apply().query) for each in (padded, plain)]  # type: ignore[attr-defined]
    assert found[0] == found[1]
