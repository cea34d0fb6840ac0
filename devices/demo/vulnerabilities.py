"""Vulnerabilities in versions of the demo apps, by the names of the apps."""

from typing import NamedTuple


class Cve(NamedTuple):
    """A vulnerability of `apps`, in the versions that the demo fleet installs. `published` is a date."""

    id: str
    severity: str
    cvss_score: float
    epss_score: float
    exploited: bool
    published: str
    apps: tuple[str, ...]
    description: str

    @property
    def link(self) -> str:
        return f"https://nvd.nist.gov/vuln/detail/{self.id}"


CVES = (
    Cve(
        "CVE-2025-13223",
        "High",
        8.8,
        0.0214,
        True,
        "2025-11-17",
        ("Google Chrome", "Microsoft Edge"),
        "Type confusion in V8 before 142.0.7444.175 lets a remote attacker exploit heap corruption by a crafted page.",
    ),
    Cve(
        "CVE-2025-13042",
        "High",
        8.8,
        0.0009,
        False,
        "2025-11-12",
        ("Google Chrome",),
        "Inappropriate implementation in V8 before 142.0.7444.166 allows heap corruption by a crafted page.",
    ),
    Cve(
        "CVE-2025-13021",
        "Critical",
        9.8,
        0.0005,
        False,
        "2025-11-11",
        ("Firefox",),
        "Incorrect boundary conditions in the WebGPU component. Fixed in Firefox 145.",
    ),
    Cve(
        "CVE-2025-13012",
        "High",
        7.5,
        0.0004,
        False,
        "2025-11-11",
        ("Firefox",),
        "Race condition in the Graphics component. Fixed in Firefox 145.",
    ),
    Cve(
        "CVE-2025-13015",
        "Low",
        3.4,
        0.0003,
        False,
        "2025-11-11",
        ("Firefox",),
        "Spoofing of the address bar. Fixed in Firefox 145.",
    ),
    Cve(
        "CVE-2025-62199",
        "High",
        7.8,
        0.0006,
        False,
        "2025-11-11",
        ("Microsoft Excel", "Microsoft Outlook", "Microsoft PowerPoint", "Microsoft Word"),
        "Use after free in Microsoft Office allows an unauthorized attacker to execute code locally.",
    ),
    Cve(
        "CVE-2025-62453",
        "Medium",
        5.0,
        0.0004,
        False,
        "2025-11-11",
        ("Visual Studio Code",),
        "Output of an assistant is not validated, so that an attacker can bypass a security feature locally.",
    ),
    Cve(
        "CVE-2025-13674",
        "Medium",
        5.5,
        0.0002,
        False,
        "2025-11-25",
        ("Wireshark",),
        "A malformed packet crashes the BPv7 dissector of Wireshark 4.6.0.",
    ),
    Cve(
        "CVE-2025-51602",
        "Medium",
        4.8,
        0.0003,
        False,
        "2025-10-30",
        ("VLC",),
        "An answer of an MMS server makes VLC before 3.0.22 read outside of a buffer.",
    ),
)
# A vulnerability that is gone, because every device has the next version.
REMEDIATED = Cve(
    "CVE-2024-9680",
    "Critical",
    9.8,
    0.2873,
    True,
    "2024-10-09",
    ("Firefox",),
    "Use after free in animation timelines. Fixed in Firefox 131.0.2.",
)


class File(NamedTuple):
    """A file that is recognized as a threat."""

    name: str
    classification: str
    severity: str
    process: str
    path: str
    tags: tuple[str, ...]


FILES = (
    File(
        "macOS.Adload.Gen",
        "MALWARE",
        "high",
        "bash",
        "/Users/{}/Library/Application Support/.agent/helper",
        ("adware",),
    ),
    File("macOS.Shlayer.D", "MALWARE", "high", "Installer", "/Users/{}/Downloads/Player.dmg", ("trojan", "downloader")),
    File("macOS.AtomicStealer.B", "MALWARE", "critical", "osascript", "/Users/{}/Downloads/Setup.dmg", ("stealer",)),
    File("EICAR-Test-File", "MALWARE", "informational", "Google Chrome", "/Users/{}/Downloads/eicar.com", ()),
    File("PUA.MacKeeper", "PUP", "low", "Finder", "/Applications/MacKeeper.app/Contents/MacOS/MacKeeper", ()),
    File("PUA.Genieo", "PUP", "medium", "Safari", "/Users/{}/Downloads/InstallGenieo.dmg", ("adware",)),
)


class Rule(NamedTuple):
    """A rule that recognizes the behavior of a process. A process is (name, image path, command line)."""

    id: str
    version: int
    classification: str
    severity: str
    description: str
    tags: tuple[str, ...]
    families: tuple[str, ...]
    parent: tuple[str, str, str]
    target: tuple[str, str, str]


RULES = (
    Rule(
        "KTI_BD_0163",
        3,
        "malicious",
        "high",
        "A script asks for the password in a dialog that imitates the system.",
        ("credential_access",),
        ("AtomicStealer",),
        ("Setup", "/Volumes/Setup/Setup", "/Volumes/Setup/Setup"),
        ("osascript", "/usr/bin/osascript", "osascript -e 'display dialog …'"),
    ),
    Rule(
        "KTI_BD_0096",
        1,
        "suspicious",
        "medium",
        "A process reads the password database of a browser that is not its own.",
        ("credential_access", "discovery"),
        (),
        ("zsh", "/bin/zsh", "-zsh"),
        ("sqlite3", "/usr/bin/sqlite3", "sqlite3 'Login Data' .dump"),
    ),
    Rule(
        "KTI_BD_0041",
        2,
        "suspicious",
        "low",
        "A launch agent is written by a shell.",
        ("persistence",),
        (),
        ("bash", "/bin/bash", "bash install.sh"),
        ("tee", "/usr/bin/tee", "tee /Library/LaunchAgents/com.example.agent.plist"),
    ),
)
