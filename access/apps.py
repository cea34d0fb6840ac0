from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "access"

    def ready(self) -> None:
        from access.keyrings import keyring
        from access.sign_in import trail

        keyring("IRU_TOKEN_KEYS")  # a mistake in the keys stops the start, not the first token
        trail.connect()
