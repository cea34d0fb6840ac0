"""What devices install: the content of library items in the form that Apple's commands take."""

from functools import lru_cache
from uuid import UUID

from access.models import Tenant
from devices.enrollment.authorities import Purpose, authority
from devices.models import CustomProfile, LibraryItem
from devices.wire import cms


def profile(tenant: Tenant, item: LibraryItem) -> bytes:
    """The profile of an item, signed by the tenant. Raises SecretUnreadable."""
    return _signed(tenant, item.uuid, item.version)


@lru_cache(maxsize=16)  # a roll-out gives thousands of devices the same one; each has at most 1 MB
def _signed(tenant: Tenant, item: UUID, version: str) -> bytes:
    text = CustomProfile.objects.values_list("profile", flat=True).get(item__tenant=tenant, item__uuid=item)
    signer = authority(tenant, Purpose.SIGNING)
    return cms.sign(text.encode(), signer.certificate, signer.key)
