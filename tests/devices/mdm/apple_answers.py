"""What Apple documents of the messages that devices send: facts from the schemas of the MDM protocol.

A second opinion on the simulated devices, and on the keys that this server reads. A line of a table has a type, the
kinds of devices that send it where not all of those above do, and the names of keys: `!` for one that is always there,
`*` for any name. The lines below, further in, are the keys of that dict or of the rows of that list. Kinds: m Macs,
s those with Apple silicon alone, p iPhones and iPads, t Apple TVs.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

MAC, SILICON, PHONE, TV = "m", "s", "p", "t"
TYPES: dict[str, type | tuple[type, ...]] = {
    "text": str,
    "flag": bool,
    "integer": int,
    "real": (float, int),
    "data": bytes,
    "date": datetime,
    "list": list,
    "dict": dict,
}


class Key(NamedTuple):
    """`only` are the values that Apple names, if it names them all. `item` is the type of the items of a list.

    `keys` are those of a dict, or of the dicts in a list.
    """

    type: str
    on: frozenset[str]
    required: bool = False
    only: frozenset[Any] = frozenset()
    item: str = ""
    keys: "dict[str, Key]" = {}


class Message(NamedTuple):
    on: frozenset[str]
    keys: dict[str, Key]


def read(table: str) -> dict[str, Message]:
    """The messages of a table, by their names."""
    found: dict[str, Message] = {}
    places: list[tuple[int, frozenset[str], dict[str, Key]]] = []
    for line in filter(str.strip, table.splitlines()):
        depth = len(line) - len(line.lstrip())
        if not depth:
            name, on = line.split()
            found[name] = Message(_kinds(on), {})
            places = [(0, _kinds(on), found[name].keys)]
            continue
        while places[-1][0] >= depth:
            places.pop()
        _, inherited, keys = places[-1]
        what, _, names = line.strip().partition(": ")
        names, _, only = names.partition(" = ")
        type, _, on = what.partition(" ")
        type, _, item = type.partition("/")
        for name in names.split():
            key = Key(
                type,
                _kinds(on) or inherited,
                name.endswith("!"),
                frozenset(only.split(" | ")) if only else frozenset(),
                item,
                {},
            )
            keys[name.rstrip("!")] = key
            places.append((depth, key.on, key.keys))
    return found


def _kinds(letters: str) -> frozenset[str]:
    # A key of all Macs is one of those with Apple silicon too.
    return frozenset(letters) | ({SILICON} if MAC in letters else frozenset())


ERROR = """integer: ErrorCode!
      text: ErrorDomain! LocalizedDescription! USEnglishDescription"""
STATES = (
    "Queued | NeedsRedemption | Redeeming | Prompting | PromptingForLogin | PromptingForUpdate | "
    "PromptingForUpdateLogin | PromptingForManagement | ValidatingPurchase | ValidatingUpdate | Updating | "
    "Installing | Managed | ManagedButUninstalled | Unknown | UserInstalledApp | UserRejected | UpdateRejected | "
    "ManagementRejected | Failed"
)
REJECTIONS = (
    "AppAlreadyInstalled | AppAlreadyQueued | AppStoreDisabled | CouldNotVerifyAppID | ManagementChangeNotSupported | "
    "NotAnApp | NotSupported | Other | PurchaseMethodNotSupported | PurchaseMethodNotSupportedInMultiUser"
)
# What is in every answer. Old Macs name the RequestType as well.
ENVELOPE = read(f"""
Answer mpt
  text: UDID! CommandUUID! RequestType
  text: Status! = Acknowledged | Error | CommandFormatError | NotNow
  list: ErrorChain
      {ERROR}
""")["Answer"].keys
# By RequestType. Three differences from the schemas: `Settings` is a list of results with their `Item`, as in Apple's
# own example; an UnusedRedemptionCode is no key of every app, because it is said once; and where a key is documented
# for Macs with Apple silicon in words alone, it is so here. Of the mobile devices, a Shared iPad alone has users.
ANSWERS = read(f"""
AccountConfiguration m
InstallEnterpriseApplication m
InstallApplication mpt
  text: Identifier
  text: State = {STATES}
  text: RejectionReason = {REJECTIONS}
InstalledApplicationList mpt
  list: InstalledApplicationList!
    flag: Installing HasUpdateAvailable DownloadFailed DownloadWaiting DownloadPaused DownloadCancelled
    integer: ExternalVersionIdentifier BundleSize
    text: Identifier Version ShortVersion Name
    flag p: IsAppClip
    text p: DistributorIdentifier Source
    flag pt: IsValidated AppStoreVendable DeviceBasedVPP BetaApp AdHocCodeSigned
    integer pt: DynamicSize
ManagedApplicationList mpt
  dict: ManagedApplicationList!
    dict: *!
      flag: HasConfiguration!
      integer: ManagementFlags! ExternalVersionIdentifier!
      text p: UnusedRedemptionCode
      flag pt: HasFeedback! IsValidated!
      text: Status! = {STATES}
RemoveApplication mpt
CertificateList mpt
  list: CertificateList!
    data: Data!
    flag: IsIdentity!
    text: CommonName!
DeclarativeManagement mpt
ActivationLockBypassCode mp
  text: ActivationLockBypassCode!
DeviceConfigured mpt
EraseDevice mpt
RefreshCellularPlans p
DeviceLock mp
  text: MessageResult = Success | DeviceInLostMode | NoPasscodeSet | Unknown
DisableLostMode p
EnableLostMode p
DeviceLocation p
  real: Latitude! Longitude! HorizontalAccuracy! VerticalAccuracy! Altitude! Speed! Course!
  text: Timestamp!
PlayLostModeSound p
RestartDevice mpt
ShutDownDevice mp
DeviceInformation mpt
  dict: QueryResponses!
    flag: AwaitingConfiguration iTunesStoreAccountIsActive IsSupervised
    list/data: DevicePropertiesAttestation
    text: UDID iTunesStoreAccountHash DeviceName OSVersion SupplementalOSVersionExtra BuildVersion
    text: SupplementalBuildVersion ModelName Model ProductName SerialNumber BluetoothMAC WiFiMAC
    flag m: IsAppleSilicon HasBattery IsActivationLockSupported SupportsLOMDevice SystemIntegrityProtectionEnabled
    flag m: PINRequiredForEraseDevice PINRequiredForDeviceLock SupportsiOSAppInstalls
    list/text m: ActiveManagedUsers
    text m: ProvisioningUDID LocalHostName HostName EthernetMAC EACSPreflight
    data mp: PushToken
    flag mp: IsActivationLockEnabled
    real mp: DeviceCapacity AvailableDeviceCapacity BatteryLevel
    text mp: SoftwareUpdateDeviceID
    date p: LastCloudBackupDate
    flag p: IsMultiUser IsDeviceLocatorServiceEnabled IsDoNotDisturbInEffect IsCloudBackupEnabled
    flag p: IsMDMLostModeEnabled TemporarySessionOnly SkipLanguageAndLocaleSetupForNewUsers
    flag p: DiagnosticSubmissionEnabled AppAnalyticsEnabled DataRoamingEnabled VoiceRoamingEnabled
    flag p: PersonalHotspotEnabled IsNetworkTethered IsRoaming
    integer p: MaximumResidentUsers EstimatedResidentUsers QuotaSize ResidentUsers UserSessionTimeout
    integer p: TemporarySessionTimeout OnlineAuthenticationGracePeriod
    list/text p: ManagedAppleIDDefaultDomains
    text p: IMEI MEID ModemFirmwareVersion EASDeviceIdentifier ICCID CurrentCarrierNetwork
    text p: SubscriberCarrierNetwork CarrierSettingsVersion PhoneNumber SubscriberMCC SubscriberMNC CurrentMCC
    text p: CurrentMNC
    text pt: TimeZone
    text t: DeviceID
    text spt: ModelNumber
    dict: OrganizationInfo
      text: OrganizationName! OrganizationAddress OrganizationPhone OrganizationEmail OrganizationMagic
    dict: MDMOptions
      flag: ActivationLockAllowedWhileSupervised
      flag s: BootstrapTokenAllowed PromptUserToAllowBootstrapTokenForAuthentication
    integer p: CellularTechnology
    dict m: OSUpdateSettings
      date: PreviousScanDate
      flag: IsDefaultCatalog PerformPeriodicCheck AutoCheckEnabled BackgroundDownloadEnabled
      flag: AutomaticAppInstallationEnabled AutomaticOSInstallationEnabled AutomaticSecurityUpdatesEnabled
      text: CatalogURL
    list m: AutoSetupAdminAccounts
      text: GUID shortName
    list p: ServiceSubscriptions
      flag: IsDataPreferred IsRoaming IsVoicePreferred
      text: CarrierSettingsVersion CurrentCarrierNetwork CurrentMCC CurrentMNC ICCID EID IMEI Label LabelID MEID
      text: PhoneNumber Slot SubscriberCarrierNetwork
    dict p: SoftwareUpdateSettings
      integer: RecommendationsCadence
    dict p: AccessibilitySettings
      flag: BoldTextEnabled IncreaseContrastEnabled ReduceMotionEnabled ReduceTransparencyEnabled
      flag: TouchAccommodationsEnabled VoiceOverEnabled ZoomEnabled
      integer: TextSize
SecurityInfo mpt
  dict: SecurityInfo!
    data m: FDE_PersonalRecoveryKeyCMS
    flag m: FDE_Enabled FDE_HasPersonalRecoveryKey FDE_HasInstitutionalRecoveryKey
    flag m: SystemIntegrityProtectionEnabled RemoteDesktopEnabled AuthenticatedRootVolumeEnabled
    flag s: BootstrapTokenRequiredForSoftwareUpdate BootstrapTokenRequiredForKernelExtensionApproval
    flag s: IsRecoveryLockEnabled
    text m: FDE_PersonalRecoveryKeyDeviceKey
    flag pt: PasscodePresent PasscodeCompliant PasscodeCompliantWithProfiles
    integer pt: HardwareEncryptionCaps PasscodeLockGracePeriod PasscodeLockGracePeriodEnforced
    dict m: FirewallSettings
      flag: FirewallEnabled BlockAllIncoming StealthMode LoggingEnabled
      list: Applications
        flag: Allowed
        text: BundleID Name
      text: LoggingOption = throttled | brief | detail
    dict m: FirmwarePasswordStatus
      flag: PasswordExists ChangePending AllowOroms
    dict: ManagementStatus
      flag: IsUserEnrollment
      flag m: EnrolledViaDEP UserApprovedEnrollment IsActivationLockManageable
    dict m: SecureBoot
      list/text s: ReducedSecurity
      text: SecureBootLevel = off | medium | full | not supported
      text: ExternalBootLevel = allowed | disallowed | not supported
    text s: BootstrapTokenAllowedForAuthentication = allowed | disallowed | not supported
ClearPasscode p
SetRecoveryLock m
InstallProfile mpt
ProfileList mpt
  list: ProfileList!
    flag: PayloadRemovalDisallowed HasRemovalPasscode IsEncrypted
    integer: PayloadVersion
    list/data: SignerCertificates
    text: PayloadUUID! PayloadIdentifier! PayloadDisplayName PayloadOrganization PayloadDescription Source
    flag pt: IsManaged
    list: PayloadContent
      integer: PayloadVersion!
      text: PayloadType! PayloadIdentifier! PayloadUUID! PayloadDisplayName PayloadDescription PayloadOrganization
RemoveProfile mpt
DisableRemoteDesktop m
EnableRemoteDesktop m
RotateFileVaultKey m
  dict: RotateResult
    data: EncryptedNewRecoveryKey
Settings mpt
  list: Settings
    text: Item
    text: Status! = Acknowledged | Error
    text pt: Identifier
    list: ErrorChain
      {ERROR}
DeleteUser mp
UserList mp
  list m: Users!
    flag: IsLoggedIn! MobileAccount! HasSecureToken!
    integer: UID!
    text: UserName! FullName! UserGUID!
UnlockUserAccount m
""")
# The keys of SetBootstrapToken and GetBootstrapToken lack the UDID in the schemas. All messages have it. Apple TVs have
# no users, so that their TokenUpdate has no NotOnConsole either: it belongs to the channels of users on Macs.
CHECK_INS = read("""
Authenticate mpt
  text: MessageType! Topic! UDID! OSVersion BuildVersion ProductName SerialNumber
  text m: DeviceName! ModelName! Model!
  text p: IMEI MEID
TokenUpdate mpt
  text: MessageType! Topic! UDID! PushMagic!
  data: Token!
  flag: AwaitingConfiguration
  data pt: UnlockToken
CheckOut mpt
  text: MessageType! Topic! UDID!
DeclarativeManagement mpt
  text: MessageType! UDID! Endpoint!
  data: Data
SetBootstrapToken m
  text: MessageType! UDID!
  data: BootstrapToken
  flag: AwaitingConfiguration
GetBootstrapToken m
  text: MessageType! UDID!
  flag: AwaitingConfiguration
""")


def answer_faults(type: str, answer: dict[str, Any], kind: frozenset[str]) -> list[str]:
    """What an answer to a request of this RequestType, by a device of these kinds, has against the documentation."""
    schema, status = ANSWERS.get(type), answer.get("Status")
    if schema is None:
        return [f"{type} is no request"]
    keys = ENVELOPE
    if status == "Acknowledged":
        keys = ENVELOPE | schema.keys
    found = list(faults_in(type, answer, keys, kind))
    if status == "Acknowledged" and not schema.on & kind:
        found.append(f"{type} is carried out by a device that has no such request")
    if (status == "Error") != ("ErrorChain" in answer):
        found.append(f"{type} is answered with {status}, and an error or none")
    return found


def check_in_faults(message: dict[str, Any], kind: frozenset[str]) -> list[str]:
    """What a check-in message of a device of these kinds has against the documentation."""
    type = message.get("MessageType", "")
    schema = CHECK_INS.get(type)
    if schema is None or not schema.on & kind:
        return [f"{type} is no message of this device"]
    return list(faults_in(type, message, schema.keys, kind))


def sample(keys: dict[str, Key]) -> dict[str, Any]:
    """A dict with every key, and a value of its type for each."""
    values = {"text": "text", "flag": True, "integer": 1, "real": 1.5, "data": b"data", "date": datetime(2026, 1, 2)}  # noqa: DTZ001 - as plistlib reads it
    found: dict[str, Any] = {}
    for name, key in keys.items():
        match key.type:
            case "dict":
                found[name] = sample(key.keys)
            case "list":
                found[name] = [values[key.item] if key.item else sample(key.keys)]
            case type:
                found[name] = min(key.only) if key.only else values[type]
    return found


def faults_in(place: str, given: dict[str, Any], keys: dict[str, Key], kind: frozenset[str]) -> Iterator[str]:
    """What a dict of a message has against its keys, for a device of these kinds."""
    for name, value in given.items():
        key = keys.get(name) or keys.get("*")
        if key is None:
            yield f"{place} has no {name}"
        elif not key.on & kind:
            yield f"{name} of {place} is not for this device"
        else:
            yield from _value_faults(f"{name} of {place}", value, key, kind)
    for name, key in keys.items():
        if key.required and key.on & kind and name != "*" and name not in given:
            yield f"{place} lacks {name}"


def _value_faults(place: str, value: Any, key: Key, kind: frozenset[str]) -> Iterator[str]:
    if not is_of(key.type, value):
        yield f"{place} is no {key.type}"
    elif key.only and value not in key.only:
        yield f"{place} is {value!r}, which is none of its values"
    elif key.type == "dict" and key.keys:
        yield from faults_in(place, value, key.keys, kind)
    elif key.type == "list" and (key.item or key.keys):
        for row in value:
            if not is_of(key.item or "dict", row):
                yield f"{place} has a row that is no {key.item or 'dict'}"
            elif not key.item:
                yield from faults_in(place, row, key.keys, kind)


def is_of(type: str, value: Any) -> bool:
    return isinstance(value, TYPES[type]) and (type == "flag" or not isinstance(value, bool))
