from datetime import datetime

from django.db import migrations, models

TEXTS = {
    "lost_mode_status": "status",
    "enabled_by": "enabled_by",
    "lock_screen_message": "message",
    "lock_screen_phone_number": "phone_number",
    "lock_screen_footnote": "footnote",
    "disable_status": "disable_status",
    "disabled_by": "disabled_by",
    "last_location_status": "location_status",
    "sound_status": "sound_status",
}
MOMENTS = {
    "enable_status_at": "enable_status_at",
    "disable_status_at": "disable_status_at",
    "last_location_status_at": "location_status_at",
    "last_location_at": "location_at",
    "sound_status_at": "sound_status_at",
}


def move_lost_modes(apps, schema_editor):
    """Imports used to leave a lost mode among the details, where no command could change it."""
    LostMode = apps.get_model("devices", "LostMode")
    DeviceInventory = apps.get_model("devices", "DeviceInventory")
    lost = DeviceInventory.objects.exclude(device__lost_mode_status="").filter(device__lost_mode=None)
    for inventory in lost.iterator(chunk_size=100):
        section = inventory.details.pop("lost_mode", None)
        if not isinstance(section, dict) or not section.get("lost_mode_status"):
            continue
        place = section.get("last_location") or {}
        LostMode.objects.create(
            device_id=inventory.device_id,
            imported=True,
            latitude=str(place.get("latitude") or "")[:30],
            longitude=str(place.get("longitude") or "")[:30],
            **{name: cut(LostMode, name, section.get(key)) for key, name in TEXTS.items()},
            **{name: moment(section.get(key)) for key, name in MOMENTS.items()},
        )
        inventory.save(update_fields=["details"])


def cut(model, name, value):
    return str(value or "")[: model._meta.get_field(name).max_length]


def moment(value):
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None


class Migration(migrations.Migration):
    dependencies = [("devices", "0005_imported_history")]

    operations = [
        migrations.AddField(
            model_name="devicesecret",
            name="imported",
            field=models.BooleanField(default=False, editable=False),
        ),
        migrations.RunPython(move_lost_modes, migrations.RunPython.noop),
    ]
