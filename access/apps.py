from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "access"

    def ready(self) -> None:
        from access import sign_in
        from access.keyrings import keyring

        keyring("IRU_TOKEN_KEYS")  # a mistake in the keys stops the start, not the first token
        sign_in.connect()
