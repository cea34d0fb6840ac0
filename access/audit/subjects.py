"""The types of the targets in a trail, as people read them. An app adds its own."""

subjects: dict[str, str] = {
    "api_token": "API token",
    "audit_anchor": "Audit trail",
    "tenant": "Organization",
    "user": "User",
    "webhook": "Webhook",
}


def subject_label(target_type: str) -> str:
    """The words for a type; a type of an older version is spelled out."""
    return subjects.get(target_type) or target_type.replace("_", " ").capitalize()
