from django.http import HttpRequest


class RoutedRequest(HttpRequest):
    """A request after HostMiddleware.

    `subdomain` is the tenant that an API host names. It is None on every other host, also where that serves the API and
    the token alone names the tenant.
    """

    subdomain: str | None
