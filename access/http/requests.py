from django.http import HttpRequest


class RoutedRequest(HttpRequest):
    """A request after HostMiddleware: which of the two halves it is for.

    `subdomain` is the tenant that an API host names. It is None on every other host, also where that serves the API and
    the token alone names the tenant.
    """

    is_api: bool
    subdomain: str | None
