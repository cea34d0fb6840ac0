"""Regular maintenance of the tables of Prism."""

from django.db import transaction

from access.tasks.backend import task
from devices.models.prism.categories import CATEGORIES
from devices.models.prism.tables import CONTENTS

BATCH = 1000


@task()
def delete_unused_contents() -> None:
    """Delete the contents that no row uses any more. Harmless when it runs twice."""
    for category in CATEGORIES:
        while _delete_some(category):
            pass


@transaction.atomic
def _delete_some(category: str) -> bool:
    """Delete some unused contents. Returns whether there may be more."""
    contents = CONTENTS[category].objects
    # Locked, as in a report that starts to use a content, so that each content is either used or deleted.
    unused = contents.filter(row_count=0).select_for_update(skip_locked=True).order_by("pk")
    pks = list(unused.values_list("pk", flat=True)[:BATCH])
    contents.filter(pk__in=pks).delete()
    return len(pks) == BATCH
