"""Presigned forms as clients build them: first every field, then the file."""

from collections.abc import Mapping

BOUNDARY = "9f8e7d"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def field(name: str, value: str) -> bytes:
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


def file(content: bytes, name: str = "file") -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="tools.pkg"\r\n'
    return f"{head}Content-Type: application/octet-stream\r\n\r\n".encode() + content + b"\r\n"


def form(fields: Mapping[str, str], *parts: bytes) -> bytes:
    return b"".join([*(field(name, value) for name, value in fields.items()), *parts]) + f"--{BOUNDARY}--\r\n".encode()
