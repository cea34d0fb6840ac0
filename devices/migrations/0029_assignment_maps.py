"""The conditions of assignment maps.

Before, this server did not know them: an item on one of several branches was in the scope of no device. That stays so
until an administrator sets the conditions of the branch, because an empty list would give its items to every device.
"""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# No server knows such a condition, so it holds for no device.
NOT_KNOWN = {"attribute": "", "operator": "", "values": []}


def place_branches(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    nodes = apps.get_model("devices", "AssignmentNode").objects
    of_map: dict[int, list[int]] = {}
    for blueprint, node in nodes.order_by("blueprint", "pk").values_list("blueprint", "pk"):
        of_map.setdefault(blueprint, []).append(node)
    for blueprint, branches in of_map.items():
        if len(branches) == 1:
            nodes.filter(pk=branches[0]).update(is_default=True)
            continue
        for position, node in enumerate(branches, 1):
            nodes.filter(pk=node).update(position=position, conditions=[NOT_KNOWN])
        nodes.create(blueprint_id=blueprint, name="Every device", is_default=True)


class Migration(migrations.Migration):

    dependencies = [
        ("devices", "0028_versions"),
    ]

    operations = [
        migrations.AddField(
            model_name="assignmentnode",
            name="position",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="assignmentnode",
            name="is_default",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="assignmentnode",
            name="conditions",
            field=models.JSONField(db_default=models.Value([], models.JSONField()), default=list),
        ),
        migrations.AddConstraint(
            model_name="assignmentnode",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_default", True)), fields=("blueprint",), name="one_default_node_of_a_map"
            ),
        ),
        migrations.RunPython(place_branches, migrations.RunPython.noop, elidable=True),
    ]
