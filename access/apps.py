from datetime import timedelta

from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "access"

    def ready(self) -> None:
        import access.checks  # noqa: F401 - the import registers them
        from access.keyrings import keyring
        from access.sign_in import trail
        from access.sign_in.upkeep import clear_attempts, clear_sessions
        from access.tasks.schedules import register_schedule
        from access.tasks.upkeep import optimize_database, prune_tasks
        from access.tokens.usage import forget_uses

        keyring("IRU_TOKEN_KEYS")  # a malformed key stops the start instead of the first request
        trail.connect()
        register_schedule("clear-sessions", clear_sessions, every=timedelta(days=1))
        register_schedule("clear-attempts", clear_attempts, every=timedelta(hours=1))
        register_schedule("prune-tasks", prune_tasks, every=timedelta(days=1))
        register_schedule("optimize-database", optimize_database, every=timedelta(days=1))
        register_schedule("forget-token-uses", forget_uses, every=timedelta(days=1))
