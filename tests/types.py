"""Names for what the fixtures hand out, where neither Django nor factory-boy has one that a type checker can use."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from access.models import ApiToken, Webhook

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Response

    class IssuedApiToken(ApiToken):
        """A token whose secret the test still knows."""

        secret: str

    class IssuedWebhook(Webhook):
        """A webhook whose secret the test still knows."""

        secret: str
else:
    from django.http import HttpResponse as Response

    IssuedApiToken = ApiToken
    IssuedWebhook = Webhook

type Call = Callable[..., Response]
type IssueToken = Callable[..., IssuedApiToken]
type RunTasks = Callable[[], int]

__all__ = ["Call", "IssueToken", "IssuedApiToken", "IssuedWebhook", "Response", "RunTasks"]
