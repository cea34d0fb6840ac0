from getpass import getpass
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from access.audit.events import Actor
from access.management.refusals import in_one_line
from access.management.serving import check_database
from access.models import Tenant
from access.sealing import SecretUnreadable
from devices.enrollment import mdmcert
from devices.enrollment import push_certificates as services
from devices.models import Enrollment
from devices.wire.push_certificates import LARGEST_FILE

ACTOR = Actor.command("push_certificate")
UPLOAD = "Upload this at https://identity.apple.com/pushcert, and then: push_certificate upload FILE"


class Command(BaseCommand):
    help = (
        "The push certificate of a tenant, by which Apple lets it wake its devices: make a request for one, upload "
        "what Apple made of it, import one from another device management, or say how it is."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="request|upload|import|status")
        request = actions.add_parser("request", help="make a key and print the request for its certificate")
        upload = actions.add_parser("upload", help="store the certificate that Apple made of the request")
        importing = actions.add_parser("import", help="store a certificate with its key, a .p12 file")
        status = actions.add_parser("status", help="say which certificate there is, and until when")
        for each in (request, upload, importing, status):
            each.add_argument("--tenant", metavar="SUBDOMAIN", help="not needed where there is one tenant alone")
        request.add_argument("--vendor-cert", type=Path, metavar="FILE", help="sign it for identity.apple.com")
        request.add_argument("--vendor-key", type=Path, metavar="FILE", help="the key of the vendor certificate")
        request.add_argument(
            "--mdmcert", nargs=2, metavar=("KEY", "EMAIL"), help="have mdmcert.download sign it, and mail it to you"
        )
        request.add_argument("--mdmcert-mail", type=Path, metavar="FILE", help="open the file in that mail")
        for each in (upload, importing):
            each.add_argument("file", type=Path)
            each.add_argument("--apple-account", default="", metavar="EMAIL", help="who renews it at Apple; a reminder")

    def handle(self, *args: Any, action: str, tenant: str | None, **options: Any) -> None:
        check_database()
        found = _tenant(tenant)
        with in_one_line():
            try:
                getattr(self, f"_{action}")(found, options)
            except SecretUnreadable:
                raise CommandError(
                    "The private key cannot be decrypted. The log names the key that is missing."
                ) from None

    def _request(self, tenant: Tenant, options: dict[str, Any]) -> None:
        vendor, vendor_key = options["vendor_cert"], options["vendor_key"]
        if sum(options[name] is not None for name in ("vendor_cert", "mdmcert", "mdmcert_mail")) > 1:
            raise CommandError("Choose one who signs the request.")
        if options["mdmcert"]:
            key, email = options["mdmcert"]
            mdmcert.ask(tenant=tenant, key=key, email=email, actor=ACTOR)
            self.stderr.write(f"mdmcert.download sends a mail to {email}. Save the file in it, and then:")
            self.stderr.write("push_certificate request --mdmcert-mail FILE")
            return
        if options["mdmcert_mail"]:
            self.stdout.write(mdmcert.open_mail(tenant=tenant, content=_read(options["mdmcert_mail"])))
            self.stderr.write(UPLOAD)
            return
        if (vendor is None) != (vendor_key is None):
            raise CommandError("Give --vendor-cert and --vendor-key together.")
        if vendor is None or vendor_key is None:
            self.stdout.write(services.request_certificate(tenant=tenant, actor=ACTOR))
            self.stderr.write("Have a vendor of device management sign this request, and upload it to Apple.")
            return
        wrapped = services.signed_request(
            tenant=tenant,
            actor=ACTOR,
            vendor=_read(vendor),
            vendor_key=_read(vendor_key),
            request=services.request_certificate,
        )
        self.stdout.write(wrapped.decode())
        self.stderr.write(UPLOAD)

    def _upload(self, tenant: Tenant, options: dict[str, Any]) -> None:
        content = _read(options["file"])
        row = services.upload_certificate(
            tenant=tenant, content=content, apple_account=options["apple_account"], actor=ACTOR
        )
        self._tell(row.topic, row.not_after)

    def _import(self, tenant: Tenant, options: dict[str, Any]) -> None:
        content, password = _read(options["file"]), getpass("Password of the file: ")
        row = services.import_certificate(
            tenant=tenant, content=content, password=password, apple_account=options["apple_account"], actor=ACTOR
        )
        self._tell(row.topic, row.not_after)

    def _status(self, tenant: Tenant, options: dict[str, Any]) -> None:
        row = services.push_certificate(tenant)
        if row.certificate:
            self._tell(row.topic, row.not_after)
            self.stdout.write(f"Apple account: {row.apple_account or 'not noted'}")
            enrolled = Enrollment.objects.filter(tenant=tenant, state=Enrollment.State.ENROLLED)
            self.stdout.write(f"Devices enrolled with it: {enrolled.count():,}")
        else:
            self.stdout.write("There is no push certificate.")
        if row.requested_at:
            self.stdout.write(f"A request from {row.requested_at:%Y-%m-%d} waits for Apple's certificate.")
        if row.error:
            raise CommandError(f"Apple refused it: {row.error}")

    def _tell(self, topic: str, not_after: Any) -> None:
        days = (not_after - timezone.now()).days
        self.stdout.write(f"Topic: {topic}")
        self.stdout.write(f"Valid until {not_after:%Y-%m-%d}, {days} days from now.")


def _tenant(subdomain: str | None) -> Tenant:
    tenants = list(Tenant.objects.filter(subdomain=subdomain) if subdomain else Tenant.objects.all()[:2])
    if len(tenants) == 1:
        return tenants[0]
    if subdomain:
        raise CommandError(f"There is no tenant {subdomain}.")
    raise CommandError("Say which tenant: --tenant SUBDOMAIN." if tenants else "There is no tenant yet.")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise ValidationError(f"{path}: {error.strerror}.") from None
