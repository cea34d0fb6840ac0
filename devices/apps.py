from django.apps import AppConfig


class DevicesConfig(AppConfig):
    name = "devices"

    def ready(self) -> None:
        # Importing the API declares its operations, and so fills the catalogue of permissions.
        import devices.api  # noqa: F401
        from access.keyrings import keyring

        keyring("IRU_SECRET_KEYS")  # a mistake in the keys stops the start, not the first secret
