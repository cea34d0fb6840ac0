"""What the product needs beside the database: the storage of files, and mail."""

import shutil
import smtplib
import socket
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.files.storage import storages
from django.core.mail import mailers
from django.core.mail.backends.smtp import EmailBackend

from access.maintenance.doctor import Finding, error, note, ok, register, warning
from access.outgoing import authorities, configured_proxy, proxy_of_environment

PROBE = b"written by manage.py doctor"
PROXY_LIMIT = 3.0  # seconds
ROOM = 1024**3  # bytes that a disk should have left


@register("files")
def check_files() -> Iterator[Finding]:
    storage: Any = storages["files"]
    place = f"The directory {storage.location}" if storage.embedded else f"The bucket {storage.bucket_name}"
    key = f"doctor-{uuid4().hex}"
    try:
        storage.write(key, [PROBE])
        try:
            with storage.local(key) as file:
                same = file.read() == PROBE
        finally:
            storage.delete(key)
    except Exception as failure:  # noqa: BLE001 - each kind of storage has errors of its own
        line = (str(failure).strip() or type(failure).__name__).splitlines()[0]
        yield error(f"{place} cannot be used: {line}", "Look at IRU_FILES_… in the settings, and at its permissions.")
        return
    if not same:
        yield error(f"{place} does not return what was written.", "Look at the service behind it.")
        return
    yield ok(f"{place} takes, returns and deletes a file.")
    if storage.embedded and (free := shutil.disk_usage(storage.location).free) < ROOM:
        yield warning(f"Its disk has {free // 1024**2} MiB left.", "Make room, or move it to a larger disk.")


@register("outgoing")
def check_outgoing() -> Iterator[Finding]:
    proxy, file = configured_proxy(), authorities()
    if proxy is None and (other := proxy_of_environment()):
        yield warning(
            f"HTTPS_PROXY names {other}: Apple, the import and the storage are reached by it, mail and webhooks not.",
            "Set IRU_HTTPS_PROXY, which is for all of them.",
        )
    by = f"by the proxy {proxy.name}" if proxy else "without a proxy"
    if proxy and settings.IRU_NO_PROXY:
        by += f", except {', '.join(settings.IRU_NO_PROXY)}"
    trusting = f"the authorities in {file}" if file else "the public authorities"
    if proxy is not None:
        try:
            socket.create_connection((proxy.host, proxy.port), PROXY_LIMIT).close()
        except OSError as failure:
            yield error(f"The proxy {proxy.name} cannot be reached: {failure}", "Look at IRU_HTTPS_PROXY.")
            return
    yield ok(f"Other servers are reached {by}, and proved by {trusting}.")


@register("mail")
def check_mail() -> Iterator[Finding]:
    mailer = mailers["default"]
    if not isinstance(mailer, EmailBackend):
        yield note(
            f"Mail is not sent, but goes to {type(mailer).__module__.rpartition('.')[2]}.",
            "Set EMAIL_URL for invitations, reset links and notices by mail.",
        )
        return
    server = f"{mailer.host}:{mailer.port}"
    try:
        mailer.open()
    except (OSError, smtplib.SMTPException) as failure:
        line = (str(failure).strip() or type(failure).__name__).splitlines()[0]
        yield error(f"{server} cannot be used: {line}", "Look at EMAIL_URL. No invitation and no reset link is mailed.")
    else:
        yield ok(f"{server} accepts the connection.")
    finally:
        mailer.close()
