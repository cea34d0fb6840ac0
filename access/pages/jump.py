"""The search over all pages: the groups of hits for the palette, and without JavaScript a page."""

from django.http import HttpResponse
from django.views.decorators.http import require_GET

from access.http.jump import Question, found
from access.pages.guards import PageRequest, requires
from access.pages.responses import fragment
from access.roles import Capability


@requires(Capability.VIEW)
@require_GET
def jump(request: PageRequest) -> HttpResponse:
    question = Question(request.user, request.tenant, request.GET.get("q", ""))
    groups = found(question)
    context = {"groups": groups, "text": question.text, "count": sum(len(group.hits) for group in groups)}
    return fragment(request, "access/jump.html", "options", context)
