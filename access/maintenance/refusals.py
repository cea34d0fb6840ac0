"""Reasons to end a maintenance command, in words for the operator."""


class Refused(Exception):
    """The command cannot do its work. The message says why, and the next step. Nothing was changed."""
