"""The kinds of hardware that are simulated."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What all devices of one model have in common. `family` is Apple's name of the system: macOS, iOS or tvOS."""

    family: str
    product_name: str
    model: str
    model_name: str
    os_version: str
    build: str
    capacity: float
    battery: bool = True
    apple_silicon: bool = True
    cellular: bool = False
    apps: list[dict[str, Any]] = field(default_factory=list)

    @property
    def mac(self) -> bool:
        return self.family == "macOS"

    @property
    def mobile(self) -> bool:
        return self.family == "iOS"


def _app(name: str, identifier: str, version: str, size: int) -> dict[str, Any]:
    return {"Name": name, "Identifier": identifier, "ShortVersion": version, "Version": version, "BundleSize": size}


KINDS = {
    "mac": Kind(
        family="macOS",
        product_name="Mac14,2",
        model="MLY33LL/A",
        model_name="MacBook Air",
        os_version="15.1",
        build="24B83",
        capacity=494.38,
        apps=[
            _app("Safari", "com.apple.Safari", "18.1", 14_266_368),
            _app("Pages", "com.apple.iWork.Pages", "14.2", 533_000_192),
        ],
    ),
    "iphone": Kind(
        family="iOS",
        product_name="iPhone16,1",
        model="MTUV3LL/A",
        model_name="iPhone",
        os_version="18.1",
        build="22B83",
        capacity=128.0,
        cellular=True,
        apps=[_app("Keynote", "com.apple.Keynote", "14.2", 485_842_944)],
    ),
    "ipad": Kind(
        family="iOS",
        product_name="iPad14,3",
        model="MNXD3LL/A",
        model_name="iPad",
        os_version="18.1",
        build="22B83",
        capacity=256.0,
        apps=[_app("Numbers", "com.apple.Numbers", "14.2", 404_934_656)],
    ),
    "apple_tv": Kind(
        family="tvOS",
        product_name="AppleTV14,1",
        model="MN873LL/A",
        model_name="Apple TV",
        os_version="18.1",
        build="22J580",
        capacity=64.0,
        battery=False,
    ),
    "intel_mac": Kind(
        family="macOS",
        product_name="MacBookPro16,1",
        model="MVVJ2LL/A",
        model_name="MacBook Pro",
        os_version="15.1",
        build="24B83",
        capacity=494.38,
        apple_silicon=False,
        apps=[_app("Safari", "com.apple.Safari", "18.1", 14_266_368)],
    ),
    "mac_26": Kind(
        family="macOS",
        product_name="Mac16,12",
        model="MW123LL/A",
        model_name="MacBook Air",
        os_version="26.1",
        build="25B78",
        capacity=494.38,
        apps=[
            _app("Safari", "com.apple.Safari", "26.1", 14_266_368),
            _app("Pages", "com.apple.iWork.Pages", "14.4", 533_000_192),
        ],
    ),
}
