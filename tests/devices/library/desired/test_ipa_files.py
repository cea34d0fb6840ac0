"""Which devices can run an in-house app, and by what it is known there."""

from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from access.models import Tenant
from devices.library.desired import ipa_files
from devices.models import LibraryItem, Platform
from tests.factories.devices import IPA_METADATA, DeviceFactory, IpaAppFactory, PendingUploadFactory

pytestmark = pytest.mark.django_db


def app(tenant: Tenant, **metadata: Any) -> LibraryItem:
    file = PendingUploadFactory.create(tenant=tenant, metadata={**IPA_METADATA, **metadata})
    return IpaAppFactory.create(tenant=tenant, file=file)


@pytest.mark.parametrize(
    ("platform", "families", "fits"),
    [
        (Platform.IPHONE, ["iPhone"], True),
        (Platform.IPHONE, ["iPad"], False),
        (Platform.IPAD, ["iPhone"], True),
        (Platform.IPAD, ["iPad"], True),
        (Platform.IPAD, ["AppleTV"], False),
        (Platform.APPLE_TV, ["AppleTV", "iPhone"], True),
        (Platform.APPLE_TV, ["iPhone", "iPad"], False),
        (Platform.IPHONE, [], True),
    ],
)
def test_the_families_of_the_file(platform: Platform, families: list[str], fits: bool, tenant: Tenant) -> None:
    device = DeviceFactory.create(tenant=tenant, platform=platform, os_version="18.1")
    assert (ipa_files.unfit(app(tenant, supported_device_families=families), device) == "") == fits


@pytest.mark.parametrize(
    ("least", "has", "fits"),
    [
        ("17.0", "17", True),
        ("17.0", "16.7.10", False),
        ("17.0", "9.3", False),
        ("9.0", "18.1", True),
        ("18.1.1", "18.1", False),
        ("17.0", "", True),
        ("", "12.1", True),
        ("any", "12.1", True),
    ],
)
def test_the_version_of_the_system(least: str, has: str, fits: bool, tenant: Tenant) -> None:
    device = DeviceFactory.create(tenant=tenant, platform=Platform.IPHONE, os_version=has)
    assert (ipa_files.unfit(app(tenant, minimum_os_version=least), device) == "") == fits


@pytest.mark.parametrize(
    ("metadata", "short", "build", "same"),
    [
        ({"app_version": "3.2.1", "app_build": "412"}, "3.2.1", "412", True),
        ({"app_version": "3.2.1", "app_build": "412"}, "3.2.1", "413", False),
        ({"app_version": "3.2.1", "app_build": "412"}, "3.2", "412", False),
        ({"app_version": "412", "app_build": "412"}, "", "412", True),
        ({"app_version": "3.2.1", "app_build": "412"}, "", "412", False),
        ({"app_version": "3.2.1"}, "3.2.1", "412", True),
        ({"app_version": "3.2.1"}, "", "", False),
    ],
)
def test_the_versions_that_a_device_shows(
    metadata: dict[str, str], short: str, build: str, same: bool, tenant: Tenant
) -> None:
    assert ipa_files.is_version(app(tenant, **metadata), short, build) == same


def test_apps_of_an_earlier_version_get_the_digests_of_their_files(tenant: Tenant) -> None:
    known, unknown = app(tenant), app(tenant)
    unknown.ipa_app.file.sha256 = ""
    unknown.ipa_app.file.save()
    LibraryItem.objects.filter(tenant=tenant).update(version="")
    set_versions = import_module("devices.migrations.0033_apps").set_versions
    set_versions(apps, SimpleNamespace(connection=connection))
    known.refresh_from_db()
    unknown.refresh_from_db()
    assert (known.version, unknown.version) == (known.ipa_app.file.sha256, "")
