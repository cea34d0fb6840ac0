"""The versions of the profiles that are stored already: their PayloadUUIDs."""

import plistlib
from typing import Any

from django.db import migrations


def set_versions(apps: Any, schema_editor: Any) -> None:
    items = apps.get_model("devices", "LibraryItem").objects.using(schema_editor.connection.alias)
    profiles = items.filter(custom_profile__isnull=False, version="").values_list("pk", "custom_profile__profile")
    for pk, text in profiles.iterator(chunk_size=100):
        uuid = plistlib.loads(text.encode()).get("PayloadUUID")
        if isinstance(uuid, str):
            items.filter(pk=pk).update(version=uuid.upper()[:64])


class Migration(migrations.Migration):
    dependencies = [("devices", "0027_desired")]

    operations = [migrations.RunPython(set_versions, migrations.RunPython.noop)]
