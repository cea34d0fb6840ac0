from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from access.models import Schedule
from access.tasks import schedules
from access.tasks.upkeep import optimize_database, prune_tasks

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hourly(monkeypatch: pytest.MonkeyPatch) -> None:
    """One schedule, and none of the product's."""
    monkeypatch.setattr(schedules, "_schedules", {})
    schedules.register_schedule("hourly", optimize_database, every=timedelta(hours=1))


def test_a_new_schedule_is_due_at_once_and_then_an_interval_later() -> None:
    schedules.store_missing()
    assert [schedules.enqueue_due() for _ in range(3)] == [1, 0, 0]
    assert DBTaskResult.objects.count() == 1
    wait = Schedule.objects.get().next - timezone.now()
    assert timedelta(minutes=59) < wait <= timedelta(hours=1)
    schedules.store_missing()  # another worker starts
    assert schedules.enqueue_due() == 0


def test_missed_intervals_are_made_up_for_by_one_run() -> None:
    Schedule.objects.create(name="hourly", next=timezone.now() - timedelta(hours=5, minutes=30))
    assert [schedules.enqueue_due() for _ in range(2)] == [1, 0]
    assert timedelta(minutes=25) < Schedule.objects.get().next - timezone.now() < timedelta(minutes=35)


def test_a_schedule_of_another_version_is_left_alone() -> None:
    Schedule.objects.create(name="of another version", next=timezone.now() - timedelta(days=1))
    assert schedules.enqueue_due() == 0


def test_a_name_is_used_once() -> None:
    with pytest.raises(ValueError, match="two schedules with the name 'hourly'"):
        schedules.register_schedule("hourly", prune_tasks, every=timedelta(days=1))


@pytest.mark.django_db(transaction=True)
def test_two_workers_enqueue_it_once() -> None:
    schedules.store_missing()
    together = Barrier(4)

    def enqueue_due(_: int) -> int:
        try:
            together.wait(10)
            return schedules.enqueue_due()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(enqueue_due, range(4))) == 1
    assert DBTaskResult.objects.count() == 1
