"""A declaration as a device receives it, and the tokens by which a device sees what has changed."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

LONGEST_IDENTIFIER = 64  # bytes, as Apple says


class Kind(StrEnum):
    """The part of a device's list that a declaration is in. The values are those of the addresses."""

    ACTIVATION = "activation"
    ASSET = "asset"
    CONFIGURATION = "configuration"
    MANAGEMENT = "management"


# The names of the parts in the list that a device fetches.
PARTS = {
    Kind.ACTIVATION: "Activations",
    Kind.ASSET: "Assets",
    Kind.CONFIGURATION: "Configurations",
    Kind.MANAGEMENT: "Management",
}


@dataclass(frozen=True, slots=True)
class Declaration:
    """`type` is Apple's. The identifier stays the same when the payload changes. `title` is what people read.

    A device that is to look at the same payload once more is given another `revision`.
    """

    kind: Kind
    type: str
    identifier: str
    payload: dict[str, Any]
    title: str
    revision: int = 0

    @property
    def server_token(self) -> str:
        """Another one for every other content, and for every revision."""
        content: dict[str, Any] = {"Type": self.type, "Identifier": self.identifier, "Payload": self.payload}
        if self.revision:
            content["Revision"] = self.revision
        return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()

    def document(self) -> dict[str, Any]:
        return {
            "Type": self.type,
            "Identifier": self.identifier,
            "ServerToken": self.server_token,
            "Payload": self.payload,
        }


def declarations_token(declarations: Iterable[Declaration]) -> str:
    """Another one for every other set of declarations. It is never empty, also for no declarations."""
    pairs = sorted((each.identifier, each.server_token) for each in declarations)
    return hashlib.sha256(orjson.dumps(pairs)).hexdigest()
