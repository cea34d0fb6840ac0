import pytest
from django.core.exceptions import ValidationError
from django.tasks import TaskResultStatus
from django.test import Client
from django.urls import reverse
from django_tasks_db.models import DBTaskResult

from access.audit.events import Actor
from access.installation.tasks import run_again
from access.models import Administrator, AuditEvent
from access.sign_in.upkeep import clear_sessions
from access.tasks.worker import Worker

pytestmark = pytest.mark.slow

PAGE = "admin:django_tasks_database_dbtaskresult_changelist"


@pytest.fixture
def failed(db: None) -> DBTaskResult[..., None]:
    clear_sessions.enqueue()
    task = DBTaskResult.objects.get()
    task.claim("a worker")
    task.set_failed(ValueError("no"))
    return task


def test_a_failed_task_is_run_again_and_the_trail_of_the_installation_has_it(
    console: Client, operator: Administrator, failed: DBTaskResult[..., None]
) -> None:
    page = reverse("admin:django_tasks_database_dbtaskresult_change", args=[failed.pk])
    assert 'name="action" value="again"' in console.get(page).content.decode()
    console.post(reverse(PAGE), {"action": "again", "_selected_action": [failed.pk]})
    failed.refresh_from_db()
    assert (failed.status, failed.worker_ids) == (TaskResultStatus.READY, [])
    event = AuditEvent.objects.filter(tenant=None, target_type="task").latest("sequence")
    assert (event.summary, event.actor_id) == ("Failed task run again", str(operator.pk))
    assert Worker().run_next()
    failed.refresh_from_db()
    assert failed.status == TaskResultStatus.SUCCESSFUL
    assert 'name="action" value="again"' not in console.get(page).content.decode()


def test_a_task_is_sent_to_the_queue_once(operator: Administrator, failed: DBTaskResult[..., None]) -> None:
    run_again(task_id=failed.pk, actor=Actor.of(operator))
    failed.refresh_from_db()
    failed.claim("another worker")
    with pytest.raises(ValidationError, match="Only a failed task"):
        run_again(task_id=failed.pk, actor=Actor.of(operator))
    failed.refresh_from_db()
    assert failed.status == TaskResultStatus.RUNNING
    assert AuditEvent.objects.filter(target_type="task").count() == 1


def test_a_task_that_is_deleted_is_said_to_be(operator: Administrator, failed: DBTaskResult[..., None]) -> None:
    pk = failed.pk
    failed.delete()
    with pytest.raises(ValidationError, match="deleted"):
        run_again(task_id=pk, actor=Actor.of(operator))
