from django.apps import AppConfig


class DevicesConfig(AppConfig):
    name = "devices"

    def ready(self) -> None:
        # The import declares the operations of the API, which fill the catalogue of permissions.
        import devices.api  # noqa: F401
        from access.keyrings import keyring

        keyring("IRU_SECRET_KEYS")  # a mistake in the keys is an error at the start, not at the first secret
