"""The error of every reader in this package."""


class Malformed(Exception):
    """The bytes are not in the form that the protocol asks for. The message has nothing of them."""
