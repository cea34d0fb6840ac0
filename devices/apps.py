from datetime import timedelta
from threading import Event

from django.apps import AppConfig


class DevicesConfig(AppConfig):
    name = "devices"
    verbose_name = "Fleet"

    def ready(self) -> None:
        # The import declares the operations of the API, which fill the catalogue of permissions.
        import devices.api  # noqa: F401
        from access.installation.state import register_facts, register_tenant_facts
        from access.keyrings import keyring
        from access.maintenance import expiries, keys, tenant_deletion, tenant_export, tenant_tables
        from access.tasks.schedules import register_schedule
        from access.tasks.worker import companions
        from devices import presets
        from devices.api.idempotency import count_by_key, forget_calls
        from devices.bulk.worker import tend_bulk_actions
        from devices.conditions import facts
        from devices.declarations.current import sources
        from devices.enrollment.ade_sync import sync_ade_integrations
        from devices.enrollment.expiries import list_expiring
        from devices.enrollment.push_reminders import remind_of_push_certificates
        from devices.fleet.contact import copy_contacts
        from devices.fleet.secrets import read_all_secrets
        from devices.fleet.size import size_facts, tenant_size_facts
        from devices.fleet.summary import EVERY, summarize_fleets
        from devices.library import app_files
        from devices.library.desired import declared_packages
        from devices.library.desired.changes import reconsider
        from devices.library.package_reading import read_packages
        from devices.mdm.daily import ask_for_inventory
        from devices.mdm.rollout import wake_due
        from devices.mdm.setup import end_setups
        from devices.mdm.upkeep import tend_enrollments
        from devices.prism.exports import clean_up_exports
        from devices.prism.upkeep import delete_unused_contents
        from devices.storage.files import delete_contents, files_of
        from devices.storage.upkeep import clean_up_files

        keyring("IRU_SECRET_KEYS")  # a mistake in the keys is an error at the start, not at the first secret
        keys.other_places.append(count_by_key)
        expiries.expiring.append(list_expiring)
        tenant_tables.kept_back["devices.IdempotentCall"] = {"answer", "fingerprint"}
        tenant_export.files.append(files_of)
        tenant_deletion.before_deletion["devices.StoredFile"] = delete_contents
        tenant_export.secrets["device_secrets"] = read_all_secrets
        companions.append(_push)
        app_files.register()
        facts.listeners.append(reconsider)
        sources.append(declared_packages.declarations)
        presets.register()
        register_facts(size_facts)
        register_tenant_facts(tenant_size_facts)
        schedules = (
            ("clean-up-files", clean_up_files, timedelta(hours=1)),
            ("forget-idempotent-calls", forget_calls, timedelta(hours=1)),
            ("copy-contacts", copy_contacts, timedelta(minutes=1)),
            ("summarize-fleets", summarize_fleets, EVERY),
            ("sync-ade", sync_ade_integrations, timedelta(minutes=30)),
            ("remind-of-push-certificates", remind_of_push_certificates, timedelta(hours=1)),
            ("clean-up-prism-exports", clean_up_exports, timedelta(hours=1)),
            ("delete-unused-prism-contents", delete_unused_contents, timedelta(days=1)),
            ("tend-enrollments", tend_enrollments, timedelta(hours=1)),
            ("wake-due", wake_due, timedelta(minutes=1)),
            ("ask-inventory", ask_for_inventory, timedelta(minutes=1)),
            ("end-setups", end_setups, timedelta(minutes=1)),
            ("tend-bulk-actions", tend_bulk_actions, timedelta(hours=1)),
            ("read-packages", read_packages, timedelta(minutes=10)),
        )
        for name, work, every in schedules:
            register_schedule(name, work, every=every)


def _push(stop: Event) -> None:
    """Wake devices until `stop` is set. Only a worker loads the client of Apple's push service."""
    from devices.mdm.push.loop import PushLoop

    PushLoop().run(stop)
