"""Activates the enrollment code of a Blueprint, with which simulated devices enroll."""

from tests.benchmarks.inside import answer, start
from tests.benchmarks.inside.connects import enrollment_profile_of

if __name__ == "__main__":
    start()
    from access.models import Tenant

    answer(len(enrollment_profile_of(Tenant.objects.get())))
