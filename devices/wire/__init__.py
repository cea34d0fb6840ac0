"""The formats of Apple's MDM protocol, from bytes and to bytes. Nothing here knows the database or Django."""
