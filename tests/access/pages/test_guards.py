"""The decorators that stand before every page."""

import pytest
from django.http import Http404, HttpResponse
from django.test import RequestFactory

from access.audit.events import Actor
from access.models import Administrator, ApiToken
from access.pages.guards import PageRequest, signed_in


def test_a_missing_object_answers_404(owner: Administrator) -> None:
    @signed_in
    def page(request: PageRequest) -> HttpResponse:
        raise ApiToken.DoesNotExist

    request = RequestFactory().get("/")
    request.user = owner
    with pytest.raises(Http404):
        page(request)


def test_the_signed_in_person_is_the_actor(owner: Administrator) -> None:
    actors = []

    @signed_in
    def page(request: PageRequest) -> HttpResponse:
        actors.append(request.actor)
        return HttpResponse()

    request = RequestFactory().get("/")
    request.user = owner
    page(request)
    assert actors == [Actor.of(owner)]
