import os
import sys
from collections.abc import Callable
from threading import Event, Thread, Timer
from typing import Any
from uuid import uuid4

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Case, When

from access.audit.events import Actor
from access.management.serving import stop_on_signals
from access.models import Tenant
from devices.enrollment.ade_profiles import own_url
from devices.enrollment.machine_issuers import issue_simulated
from devices.enrollment.profiles import NoPushCertificate, enrollment_profile, push_certificate
from devices.enrollment.push_certificates import store_simulated
from devices.mdm.simulator import apps
from devices.mdm.simulator.authority import Authority
from devices.mdm.simulator.fleet import Habits, Listed, SimulatedFleet
from devices.mdm.simulator.keys import KeyPool, new_key
from devices.mdm.simulator.kinds import KINDS
from devices.models import AdeDevice, Blueprint
from devices.wire.push_certificates import PushIdentity

KEY_BITS = 2048
APP_STATES = {"Prompting", *apps.ONCE}
# The kinds of simulated devices by the families of Apple's list.
LISTED_KINDS = {"Mac": "mac", "iPhone": "iphone", "iPad": "ipad", "AppleTV": "apple_tv"}


class Command(BaseCommand):
    help = (
        "Enroll simulated Apple devices with a running server, and let them connect and answer until Ctrl-C. "
        "Press Enter to have all of them connect at once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--devices", type=int, default=4, help="how many (default: %(default)s)")
        add("--tenant", help="subdomain of the tenant; needed if there are several")
        add("--blueprint", help="name of the Blueprint; the oldest with an active enrollment code by default")
        add("--url", default="http://127.0.0.1:8000", help="address of the server (default: %(default)s)")
        add("--ade", action="store_true", help="those on Apple's list, which enroll by themselves, instead of new ones")
        add("--kinds", nargs="+", choices=sorted(KINDS), default=list(KINDS), help="kinds of devices, in turn")
        add("--series", default="SIM", help="beginning of the serial numbers; the same devices come back with it")
        add("--every", type=float, default=5, help="seconds between two connections of a device (default: %(default)s)")
        add("--seconds", type=float, help="stop by itself after so many seconds")
        add("--threads", type=int, default=8, help="devices that speak at the same time (default: %(default)s)")
        add("--keys", type=int, default=4, help="RSA keys that the devices share (default: %(default)s)")
        add("--not-now", type=float, default=0, metavar="SHARE", help="sessions in which a command is postponed")
        add("--lost-answers", type=float, default=0, metavar="SHARE", help="sessions in which the connection is cut")
        add("--check-out", type=float, default=0, metavar="SHARE", help="sessions before which a person unenrolls")
        add("--errors", nargs="*", default=[], metavar="REQUESTTYPE", help="commands that are answered with an error")
        add("--refuse-declarations", nargs="*", default=[], metavar="TYPE", help="declarations that are found invalid")
        add(
            "--apps-end",
            choices=sorted(APP_STATES),
            default="",
            help="how the installation of an app ends, if not well",
        )
        add("--packages-do-nothing", action="store_true", help="install no app from a package")
        add("--wait-for-deadlines", action="store_true", help="install a required version at its deadline, not at once")
        add("--duplicates", action="store_true", help="send every answer twice")
        add("--parent", type=int, metavar="PID", help="stop when this process is no longer the parent")
        add("--stay-erased", action="store_true", help="do not enroll an erased device again")

    def handle(self, *args: Any, verbosity: int, **options: Any) -> None:
        self.quiet = verbosity == 0
        tenant = self._tenant(options["tenant"])
        stop, wake = Event(), Event()
        fleet = SimulatedFleet(
            options["devices"],
            url=options["url"],
            profile=b"" if options["ade"] else self._profile(tenant, options["blueprint"]),
            listed=self._listed(tenant, options["devices"]) if options["ade"] else None,
            habits=Habits(
                not_now=options["not_now"],
                lost_answers=options["lost_answers"],
                check_out=options["check_out"],
                errors=frozenset(options["errors"]),
                refused_declarations=frozenset(options["refuse_declarations"]),
                app_state=options["apps_end"],
                packages_do_nothing=options["packages_do_nothing"],
                waits_for_deadlines=options["wait_for_deadlines"],
                duplicates=options["duplicates"],
                stay_erased=options["stay_erased"],
            ),
            keys=KeyPool(options["keys"]),
            tell=self._print,
            kinds=options["kinds"],
            series=options["series"],
        )
        self._print(f"{options['devices']} devices enroll with {tenant.name} at {options['url']}. Ctrl-C ends this.")
        stop_on_signals()

        def end() -> None:
            stop.set()
            wake.set()

        if options["parent"]:
            Thread(target=self._watch, args=[options["parent"], stop, end], daemon=True).start()
        elif sys.stdin.isatty():
            Thread(target=self._read_lines, args=[wake], daemon=True).start()
        timer = Timer(options["seconds"], end) if options["seconds"] else None
        try:
            if timer is not None:
                timer.start()
            fleet.run(every=options["every"], threads=options["threads"], stop=stop, wake=wake)
        except KeyboardInterrupt:
            stop.set()
        finally:
            if timer is not None:
                timer.cancel()
        for line in fleet.summary():
            self._print(line)

    def _tenant(self, subdomain: str | None) -> Tenant:
        tenants = list(Tenant.objects.filter(**{"subdomain": subdomain} if subdomain else {}).order_by("pk")[:2])
        if len(tenants) != 1:
            raise CommandError("There is no such tenant." if subdomain or not tenants else "Name one with --tenant.")
        return tenants[0]

    def _profile(self, tenant: Tenant, name: str | None) -> bytes:
        blueprints = tenant.blueprints.filter(enrollment_code_active=True).order_by("pk")
        blueprint: Blueprint | None = blueprints.filter(**{"name": name} if name else {}).first()
        if blueprint is None:
            raise CommandError("There is no such Blueprint with an active enrollment code.")
        try:
            return enrollment_profile(blueprint, simulated=True)
        except NoPushCertificate:
            self._store_push_certificate(tenant)
            return enrollment_profile(blueprint, simulated=True)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None

    def _listed(self, tenant: Tenant, number: int) -> Listed:
        """Devices that Apple's list has and that have not enrolled, and then those that have."""
        try:
            simulated = push_certificate(tenant).simulated
        except NoPushCertificate:
            self._store_push_certificate(tenant)
            simulated = True
        if not simulated:
            raise CommandError("The tenant has a push certificate of Apple's: the devices on its list are real ones.")
        rows = tenant.ade_devices.filter(device_family__in=LISTED_KINDS)
        waiting = Case(When(profile_status=AdeDevice.ProfileStatus.PUSHED, then=1), default=0)
        found = rows.order_by(waiting, "pk").values_list("device_family", "serial_number")[:number]
        if not found:
            raise CommandError("Apple's list has no device of the tenant.")
        devices = [(LISTED_KINDS[family], serial) for family, serial in found]
        return Listed(devices=devices, url=own_url(tenant), issue=issue_simulated)

    def _store_push_certificate(self, tenant: Tenant) -> None:
        store_simulated(tenant=tenant, identity=_push_identity(), actor=Actor.command("mdm_simulate"))
        self._print("A simulated push certificate was stored: Apple does not know it.")

    def _watch(self, parent: int, stop: Event, end: Callable[[], None]) -> None:
        while not stop.wait(1):
            if os.getppid() != parent:
                end()

    def _read_lines(self, wake: Event) -> None:
        for _ in sys.stdin:
            wake.set()

    def _print(self, line: str) -> None:
        if not self.quiet:
            self.stdout.write(line)
            self.stdout.flush()


def _push_identity() -> PushIdentity:
    """A certificate in the form of Apple's, which nothing but a simulated push service accepts."""
    key, topic = new_key(KEY_BITS), f"com.apple.mgmt.External.{uuid4()}"
    certificate = Authority().issue(key.public_key(), topic)
    return PushIdentity(certificate, key, topic, certificate.not_valid_after_utc)
