"""Prints how much content the large pages have."""

from tests.benchmarks.inside import answer, start

if __name__ == "__main__":
    start()
    from access.models import ApiToken, AuditEvent
    from devices.models import PrismTotal

    answer(
        {
            "tokens": ApiToken.objects.filter(revoked_at=None).count(),
            "events": AuditEvent.objects.count(),
            "apps": sum(PrismTotal.objects.filter(category="apps").values_list("row_count", flat=True)),
        }
    )
