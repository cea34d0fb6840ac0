"""A simulated Mac, iPhone, iPad or Apple TV."""

import base64
import hashlib
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from devices.mdm.simulator import apps, declarations, enrolling, packages, setup_assistant
from devices.mdm.simulator.deeds import carry_out
from devices.mdm.simulator.enrolling import EnrollmentProfile, Identity, NotEnrolled
from devices.mdm.simulator.keys import KeySource, new_key
from devices.mdm.simulator.kinds import Kind
from devices.mdm.simulator.refusing import CommandError
from devices.mdm.simulator.state import State
from devices.mdm.simulator.transports import Answer, ConnectionCut, Transport
from devices.wire import cms, plists

CHECK_IN, CONNECT = "application/x-apple-aspen-mdm-checkin", "application/x-apple-aspen-mdm"
WITHOUT_TOPIC = {"SetBootstrapToken", "GetBootstrapToken", "DeclarativeManagement"}
LONGEST_SESSION = 200  # commands, after which the server is said to send them without end
# What a device does not do while its passcode has not been typed, and what a Mac in Power Nap does.
NEEDS_PASSCODE = {"InstallProfile", "RemoveProfile", "InstallApplication", "RemoveApplication", "Settings"}
IN_POWER_NAP = {"ProfileList", "DeviceInformation", "SecurityInfo", "DeviceLock", "EraseDevice", "CertificateList"}


class Cut(StrEnum):
    """Where the next connection ends."""

    BEFORE = "before"  # the server never reads the request
    AFTER = "after"  # the server has answered, and the device does not hear it


@dataclass(kw_only=True)
class Switches:
    """How a device differs from one with which all goes well."""

    not_now: int = 0  # so many of the next commands are postponed
    power_nap: bool = False  # a Mac with a closed lid postpones most commands
    errors: set[str] = field(default_factory=set)  # RequestTypes that are answered with an error
    malformed: set[str] = field(default_factory=set)  # RequestTypes that are answered with CommandFormatError
    duplicates: bool = False  # every answer is sent twice, and the device goes on with the second reply
    unlock_token: bool = True
    supervised: bool = True
    clock: timedelta = timedelta(0)  # how wrong the clock of the device is
    scep_get: bool = False  # the SCEP request is in the address
    answers_before_renewal: bool = False  # the answer to a renewal is signed with the former certificate
    checks_out: bool = True  # whether it says that it leaves
    refuses_declarations: set[str] = field(default_factory=set)  # types that are found invalid
    updates_early: bool = False  # a person does not wait for the deadline of a system update
    app_state: str = ""  # Apple's Status in which installations of apps end, instead of `Managed`
    packages_do_nothing: bool = False  # their installers end without installing an app
    lies: bool = False  # it reports success for a declaration that it was never given
    # The form of signatures. The defaults are what many Macs send.
    digest: str = "sha1"
    attributes: bool = False
    indefinite: bool = True


class SimulatedDevice:
    """One device. It does what it is told over its transport, and nothing by itself."""

    def __init__(
        self,
        kind: Kind,
        number: int,
        *,
        transport: Transport,
        keys: KeySource = new_key,
        series: str = "SIM",
        serial_number: str = "",
    ) -> None:
        """`number` and `series` make the serial number, if it is not given. The UDID follows from that."""
        self.kind, self.number, self.transport, self.keys = kind, number, transport, keys
        self.serial_number = serial_number or f"{series}{number:07}"
        self.udid = str(uuid5(NAMESPACE_OID, f"{self.serial_number}.{kind.product_name}")).upper()
        self.switches = Switches()
        self.state = self._new_state()
        self.cut: Cut | None = None  # of the next connection
        self.profile: EnrollmentProfile | None = None
        self.identity: Identity | None = None
        self.former: Identity | None = None  # before the last renewal
        self.activation: Identity | None = None  # what Apple has certified; it goes when the device is erased
        self.automatic = False  # whether it was enrolled by Automated Device Enrollment
        self.enrollments = 0
        self.tokens = 0
        self.bootstrap_token: bytes | None = None
        self.erased = False  # it is, and nobody has enrolled it again
        self.erases: dict[str, Any] | None = None  # the command that does so after its answer
        self.leaves = False  # after its answer
        self.removed_by: int | None = None  # the status that ended the enrollment, 401 or 403
        self.conversation: list[tuple[str, str]] = []  # RequestType and status of each answer

    @property
    def enrolled(self) -> bool:
        return self.profile is not None and self.identity is not None

    @property
    def reachable(self) -> bool:
        """Whether it would come if it were woken. A Mac that is locked with a PIN does not."""
        return self.enrolled and self.state.pin is None

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self.switches.clock

    @property
    def push_token(self) -> bytes:
        return hashlib.sha256(f"{self.udid}.{self.enrollments}.{self.tokens}".encode()).digest()

    @property
    def push_magic(self) -> str:
        return str(uuid5(NAMESPACE_OID, f"magic {self.udid} {self.enrollments} {self.tokens}")).upper()

    @property
    def unlock_token(self) -> bytes | None:
        """A phone has one, and hands it over when it enrolls."""
        if not (self.kind.mobile and self.switches.unlock_token):
            return None
        return hashlib.sha512(f"unlock {self.udid} {self.enrollments}".encode()).digest() * 16

    @property
    def recovery_key(self) -> str:
        """That of FileVault, on a Mac."""
        return f"SIMU-LATE-D000-KEYS-{self.number // 10_000:04}-{self.number % 10_000:04}"

    def address(self, interface: int) -> str:
        return ":".join(f"{byte:02x}" for byte in (2, 0, interface, *self.number.to_bytes(4)[1:]))

    # --- Enrollment ---------------------------------------------------------------------------------------------------

    def enroll(self, data: bytes) -> None:
        """Install an enrollment profile. Raises NotEnrolled, and ConnectionCut."""
        self.install(data)
        try:
            self.authenticate()
            self.update_token()
        except (NotEnrolled, ConnectionCut):
            self._forget()  # a profile whose first messages fail is not installed
            raise

    def enroll_automatically(self, url: str, issue: setup_assistant.Activation) -> None:
        """Get the profile in Setup Assistant, and wait there to be let go. Raises NotEnrolled, and ConnectionCut."""
        if self.activation is None:
            self.activation = setup_assistant.activate(self, issue)
        data = setup_assistant.fetch_profile(self, url, self.activation)
        self.automatic, self.state.configured = True, False
        self.enroll(data)

    @property
    def awaits_configuration(self) -> bool:
        return self.automatic and not self.state.configured

    def install(self, data: bytes) -> None:
        """Read the profile and get a certificate: what comes before the first message. Raises NotEnrolled."""
        profile = enrolling.enrollment_profile(enrolling.read_signed(data))
        if profile is None:
            raise NotEnrolled("The profile has no MDM payload.")
        self.identity = self._new_identity(profile)
        self.profile, self.former, self.removed_by = profile, None, None
        self.erased = False
        self.enrollments += 1
        self.state.profiles[profile.identifier] = profile.content

    def authenticate(self) -> None:
        facts = {
            "OSVersion": self.state.os_version,
            "BuildVersion": self.state.build,
            "ProductName": self.kind.product_name,
            "SerialNumber": self.serial_number,
        }
        if self.kind.mac:
            facts |= {"DeviceName": self.state.name, "Model": self.kind.model, "ModelName": self.kind.model_name}
        self._must(self.check_in("Authenticate", **facts))

    def update_token(self, *, fresh: bool = False) -> None:
        """Tell where the device is woken. `fresh`: with another token than before."""
        self.tokens += fresh
        fields: dict[str, Any] = {"Token": self.push_token, "PushMagic": self.push_magic}
        if (token := self.unlock_token) is not None:
            fields["UnlockToken"] = token
        if self.awaits_configuration:
            fields["AwaitingConfiguration"] = True
        self._must(self.check_in("TokenUpdate", **fields))

    def set_bootstrap_token(self, token: bytes) -> None:
        self._must(self.check_in("SetBootstrapToken", BootstrapToken=token))
        self.bootstrap_token = token

    def get_bootstrap_token(self) -> bytes | None:
        answer = self.check_in("GetBootstrapToken")
        self._must(answer)
        token = plists.loads(answer.body).get("BootstrapToken")
        return token if isinstance(token, bytes) else None

    def unenroll(self) -> None:
        """A person removes the profile. The device says so, and forgets its certificate."""
        if self.switches.checks_out and self.enrolled:
            with suppress(ConnectionCut):  # it says so once, and leaves all the same
                self.check_in("CheckOut")
        self._forget()

    def replace_enrollment(self, fresh: EnrollmentProfile) -> None:
        """Renew: the enrollment profile was installed again. Raises CommandError for one of another server."""
        if self.profile is None or fresh.identifier != self.profile.identifier:
            raise CommandError(4000, "The profile cannot replace the enrollment.", "MCInstallationErrorDomain")
        fixed = ("ServerURL", "CheckInURL", "Topic")
        if any(fresh.mdm[key] != self.profile.mdm[key] for key in fixed):
            raise CommandError(4000, "The enrollment is with another server.", "MCInstallationErrorDomain")
        try:
            identity = self._new_identity(fresh)
        except NotEnrolled as error:
            raise CommandError(22013, str(error), "MCSCEPErrorDomain") from None
        self.former, self.identity, self.profile = self.identity, identity, fresh

    def type_pin(self, pin: str) -> bool:
        """A person types the PIN on a locked Mac."""
        if pin == self.state.pin:
            self.state.pin = None
        return self.state.pin is None

    # --- Messages -----------------------------------------------------------------------------------------------------

    def check_in(self, kind: str, **fields: Any) -> Answer:
        """Send a check-in message."""
        mdm = self._mdm
        topic = {} if kind in WITHOUT_TOPIC else {"Topic": mdm["Topic"]}
        message = {"MessageType": kind, "UDID": self.udid, **topic, **fields}
        return self.put(mdm["CheckInURL"], CHECK_IN, plists.dumps(message))

    def say(self, status: str, **fields: Any) -> Answer:
        """Send one message of a session, and return the answer as it came."""
        message = {"UDID": self.udid, "Status": status, **fields}
        return self.put(self._mdm["ServerURL"], CONNECT, plists.dumps(message))

    def get(self, url: str) -> Answer:
        """Fetch a file, as the installer of apps does: without a signature."""
        return self._send("GET", url, {}, b"")

    def post(self, url: str, content_type: str, body: bytes) -> Answer:
        """Send a body without `Mdm-Signature`."""
        return self._send("POST", url, {"Content-Type": content_type}, body)

    def put(self, url: str, content_type: str, body: bytes, *, signature: str | None = None) -> Answer:
        """Send a signed body. A device that is told 401, or 403 with Apple's code, removes its enrollment."""
        headers = {"Content-Type": content_type, "User-Agent": "MDM/1.0"}
        if signature is None and self.identity is not None:
            signature = self.sign(body)
        if signature:
            headers["Mdm-Signature"] = signature
        answer = self._send("PUT", url, headers, body)
        if answer.status == 401 or (answer.status == 403 and b"com.apple.unrecognized.device" in answer.body):
            self._forget()
            self.removed_by = answer.status
        return answer

    def sign(self, body: bytes, identity: Identity | None = None) -> str:
        identity = identity or self.identity
        if identity is None:
            raise NotEnrolled("The device has no certificate.")
        signature = cms.sign_detached(
            body,
            identity.certificate,
            identity.key,
            digest=self.switches.digest,
            attributes=self.switches.attributes,
            indefinite=self.switches.indefinite,
        )
        return base64.b64encode(signature).decode()

    # --- Sessions -----------------------------------------------------------------------------------------------------

    def connect(self) -> list[tuple[str, str]]:
        """One session: ask for commands and answer them until there are none.

        Returns the RequestType and the status of each answer. Raises ConnectionCut where the connection ends, and
        NotEnrolled for an answer that is no success.
        """
        first = len(self.conversation)
        if self.reachable:
            answer = self.say("Idle")
            for _ in range(LONGEST_SESSION):
                self._must(answer)
                if not answer.body or not self.reachable:
                    break
                answer = self.respond(plists.loads(answer.body))
            else:
                raise AssertionError("The server sends commands without end.")
            declarations.live(self)
            apps.live(self)
            packages.live(self)
        return self.conversation[first:]

    def respond(self, delivery: dict[str, Any]) -> Answer:
        """Carry out one command that was delivered, answer it, and return the answer to that."""
        request, uuid = delivery["Command"], delivery["CommandUUID"]
        identity = self.identity
        status, fields = self._carried_out(request)
        renewed = self.identity is not identity
        if renewed and not self.switches.answers_before_renewal:
            self.update_token()
        message = {"UDID": self.udid, "Status": status, "CommandUUID": uuid, **fields}
        body, url = plists.dumps(message), self._mdm["ServerURL"]
        former = identity if renewed and self.switches.answers_before_renewal else None
        signature = self.sign(body, former)
        answer = self.put(url, CONNECT, body, signature=signature)
        if self.switches.duplicates:
            answer = self.put(url, CONNECT, body, signature=signature)
        self.conversation.append((request["RequestType"], status))
        if renewed and self.switches.answers_before_renewal:
            self.update_token()
        self._finish()
        return answer

    def _carried_out(self, request: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        kind = request["RequestType"]
        if self._postpones(kind):
            return "NotNow", {}
        if kind in self.switches.malformed:
            return "CommandFormatError", {}
        try:
            if kind in self.switches.errors:
                raise CommandError(12021, "The switch of this device says so.")
            return "Acknowledged", carry_out(self, request)
        except CommandError as error:
            return "Error", {"ErrorChain": error.chain}

    def _postpones(self, kind: str) -> bool:
        if self.switches.not_now > 0:
            self.switches.not_now -= 1
            return True
        if self.state.passcode_asleep and kind in NEEDS_PASSCODE:
            return True
        return self.kind.mac and self.switches.power_nap and kind not in IN_POWER_NAP

    def _finish(self) -> None:
        """What the device does once its answer is sent: leave, or erase itself."""
        if self.leaves:
            self.unenroll()
        elif (command := self.erases) is not None:
            self._forget()
            self.state = self._new_state()
            self.state.pin = command.get("PIN")
            self.activation, self.erased = None, True
            back = command.get("ReturnToService", {})
            if back.get("Enabled") and "MDMProfileData" in back:
                self.enroll(back["MDMProfileData"])

    def _forget(self) -> None:
        if self.profile is not None:
            self.state.profiles.pop(self.profile.identifier, None)
            apps.forget(self)
            self.state.declared, self.state.declared_packages = declarations.Declared(), {}
        self.profile = self.identity = self.former = self.bootstrap_token = self.erases = None
        self.leaves = self.automatic = False

    def _new_state(self) -> State:
        return State.factory(self.kind, f"{self.kind.model_name} {self.number}")

    def _new_identity(self, profile: EnrollmentProfile) -> Identity:
        def ask(method: str, url: str, body: bytes) -> Answer:
            headers = {"Content-Type": "application/x-pki-message"} if body else {}
            return self._send(method, url, headers, body)

        key = self.keys(profile.scep["Keysize"])
        return enrolling.get_identity(ask, profile.scep, key, now=self.now, get=self.switches.scep_get)

    def _send(self, method: str, url: str, headers: dict[str, str], body: bytes) -> Answer:
        cut, self.cut = self.cut, None
        if cut is Cut.BEFORE:
            raise ConnectionCut
        host, path = enrolling.path_of(url)
        answer = self.transport(method, path, {"Host": host, **headers}, body)
        if cut is Cut.AFTER:
            raise ConnectionCut
        return answer

    @property
    def _mdm(self) -> dict[str, Any]:
        if self.profile is None:
            raise NotEnrolled("The device has no enrollment profile.")
        return self.profile.mdm

    @staticmethod
    def _must(answer: Answer) -> None:
        if answer.status != 200:
            raise NotEnrolled(f"The server answered {answer.status}.")
