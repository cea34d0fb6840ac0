from datetime import timedelta

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class AccessConfig(AppConfig):
    name = "access"
    verbose_name = "Access"

    def ready(self) -> None:
        from django.core.signals import request_finished

        import access.checks  # noqa: F401 - the import registers them
        from access import context
        from access.audit import events
        from access.keyrings import audit_keyring, keyring
        from access.maintenance.purge import purge_daily
        from access.notices.mail import send_waiting_notices
        from access.outgoing import check_settings
        from access.schema import lift_limits, restore_limits
        from access.sign_in import trail
        from access.sign_in.upkeep import clear_attempts, clear_sessions
        from access.tasks.schedules import register_schedule
        from access.tasks.upkeep import optimize_database, prune_tasks, refresh_after_migrations
        from access.tokens.networks import prune_networks
        from access.tokens.reminders import remind_of_expiries
        from access.tokens.usage import forget_uses
        from access.webhooks.delivery import deliver_waiting, prune_deliveries
        from access.webhooks.destinations import networks
        from access.webhooks.outbox import publish_event

        keyring("IRU_TOKEN_KEYS")  # a malformed key stops the start instead of the first request
        audit_keyring()
        networks()  # and so does a malformed network
        check_settings()  # and a malformed proxy
        trail.connect()
        request_finished.connect(context.end_request)
        events.publishers.append(publish_event)
        pre_migrate.connect(lift_limits, sender=self)
        post_migrate.connect(restore_limits, sender=self)
        post_migrate.connect(refresh_after_migrations, sender=self)
        register_schedule("clear-sessions", clear_sessions, every=timedelta(days=1))
        register_schedule("clear-attempts", clear_attempts, every=timedelta(hours=1))
        register_schedule("prune-tasks", prune_tasks, every=timedelta(days=1))
        register_schedule("optimize-database", optimize_database, every=timedelta(days=1))
        register_schedule("remind-of-expiries", remind_of_expiries, every=timedelta(hours=1))
        register_schedule("forget-token-uses", forget_uses, every=timedelta(days=1))
        register_schedule("send-waiting-notices", send_waiting_notices, every=timedelta(minutes=10))
        register_schedule("prune-token-networks", prune_networks, every=timedelta(days=1))
        register_schedule("deliver-webhooks", deliver_waiting, every=timedelta(minutes=1))
        register_schedule("purge", purge_daily, every=timedelta(days=1))
        register_schedule("prune-webhook-deliveries", prune_deliveries, every=timedelta(days=1))
