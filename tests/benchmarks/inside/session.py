"""Signs the owner of the large pages in, and prints the cookie of the session."""

from tests.benchmarks.inside import answer, start
from tests.benchmarks.inside.pages import EMAIL


def cookie() -> str:
    from django.conf import settings
    from django.test import Client
    from django.utils import timezone

    from access.models import Administrator
    from access.sign_in.sessions import AUTHENTICATED_AT, STARTED_AT

    client = Client()
    client.force_login(Administrator.objects.get(email=EMAIL))
    session = client.session
    session[STARTED_AT] = session[AUTHENTICATED_AT] = int(timezone.now().timestamp())
    session.save()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


if __name__ == "__main__":
    start()
    answer(cookie())
