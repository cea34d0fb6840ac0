"""The table of facts, and the classes that have the same attributes as literal fields."""

import pytest
from django.db.models import Model

from devices.api.schemas.devices import DeviceOut, DeviceUpdate
from devices.fleet.facts import FACTS
from devices.fleet.records import LABELS
from devices.models import Device
from devices.pages.forms.devices import DeviceForm

# Fields of the model that are no attributes of a device: keys of the database, and the prepared record with its LABELS.
# Of an enrollment here: the public API has neither.
OF_MDM = {"udid", "simulated"}
NO_FACTS = {"id", "tenant", "record_json", *LABELS, *OF_MDM}
# Fields of the form that stand for another attribute, under the key of the record.
FORM_KEYS = {"blueprint": "blueprint_id", "new_tags": "tags"}


def test_the_record_schema_has_the_facts_of_the_table_in_their_order() -> None:
    assert list(DeviceOut.model_fields) == [fact.key for fact in FACTS if fact.record != "none"]
    optional = [key for key, field in DeviceOut.model_fields.items() if not field.is_required()]
    assert optional == [fact.key for fact in FACTS if fact.record == "extended"]


def test_the_model_has_the_facts_of_the_table() -> None:
    fields = {field.name for field in [*Device._meta.fields, *Device._meta.many_to_many]}
    assert fields - NO_FACTS == {path.split("__")[0] for fact in FACTS for path in fact.paths}


@pytest.mark.parametrize("path", [path for fact in FACTS for path in fact.paths])
def test_every_path_leads_to_a_column(path: str) -> None:
    *relations, column = path.split("__")
    model: type[Model] = Device
    for relation in relations:
        related = model._meta.get_field(relation).related_model
        assert isinstance(related, type)
        model = related
    assert model._meta.get_field(column).concrete


def test_the_form_and_the_update_schema_change_the_same_facts() -> None:
    form = {FORM_KEYS.get(name, name) for name in DeviceForm.base_fields}
    assert form == set(DeviceUpdate.model_fields)
    assert form <= {fact.key for fact in FACTS}


def test_every_key_path_and_header_stands_for_one_fact() -> None:
    for names in (
        [fact.key for fact in FACTS],
        [path for fact in FACTS for path in fact.paths],
        [header for fact in FACTS for header in (fact.key.replace("_", ""), *fact.headers)],
    ):
        assert sorted(names) == sorted(set(names))
