from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "access"

    def ready(self) -> None:
        from access.keyrings import keyring
        from access.sign_in import trail

        keyring("IRU_TOKEN_KEYS")  # a malformed key stops the start instead of the first request
        trail.connect()
