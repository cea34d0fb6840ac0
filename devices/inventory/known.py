"""What a device said before: an answer that says the same again is neither read nor stored a second time.

The inventory of a device keeps a digest of each of its answers, and of the rows that each category of Prism got. An
import, which stores other values, forgets them.
"""

import hashlib
from collections.abc import Iterable
from typing import Any

import orjson
from django.conf import settings
from django.db.models import OuterRef, Subquery

from access.compiled import Compiled
from devices.models import Device, DeviceInventory, MdmAuthority

# The certificate for recovery keys belongs to what a list of profiles is compared with.
_ESCROW = MdmAuthority.objects.filter(
    tenant=OuterRef("device__tenant"), purpose=MdmAuthority.Purpose.ESCROW, retired_at=None
)
_KNOWN = Compiled(
    lambda device: (
        DeviceInventory.objects.only("device", "answers")
        .filter(device=device)
        .annotate(escrow=Subquery(_ESCROW.values("pk")))
    )
)


def known_answers(device: Device) -> DeviceInventory | None:
    """The inventory of a locked device with its digests alone, and `escrow`; None before its first answer."""
    return _KNOWN.first(device=device.pk)


def digest_of(*said: Any) -> str:
    """A digest of what a device said. Another version of this program may make other rows of it."""
    try:
        text = orjson.dumps([settings.VERSION, *said], default=_text, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # JSON cannot express it: it counts as new each time
        return ""
    return hashlib.sha256(text).hexdigest()[:32]


def forget_answer(device: Device, question: str) -> None:
    """The next answer of a locked device to this question is stored whatever it says."""
    known = known_answers(device)
    if known is not None and question in known.answers:
        known.answers = {name: digest for name, digest in known.answers.items() if name != question}
        known.save(update_fields=["answers"])


def forget_answers(devices: Iterable[int]) -> None:
    """The next answers of these devices are stored whatever they say: something else is about to be stored.

    The caller has locked the devices.
    """
    DeviceInventory.objects.filter(device__in=devices).exclude(answers={}).update(answers={})


def _text(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
