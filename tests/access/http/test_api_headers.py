from typing import Any

import pytest
from django.test import Client


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/v1/devices", "/api/v1/nope", "/app/v1/ping"])
def test_api_answers_are_not_cached_and_not_sniffed(settings: Any, client: Client, path: str) -> None:
    plain = client.get(path)
    assert plain["Cache-Control"] == "no-store"
    assert plain["X-Content-Type-Options"] == "nosniff"
    assert "Strict-Transport-Security" not in plain
    settings.HTTPS, settings.SECURE_HSTS_SECONDS = True, 3600
    secure = Client().get(path, secure=True)
    assert secure["Strict-Transport-Security"] == "max-age=3600; includeSubDomains"
