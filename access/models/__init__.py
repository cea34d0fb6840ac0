from access.models.admins import Administrator, Role
from access.models.attempts import CountedAttempt
from access.models.audit import AuditAnchor, AuditEvent, AuditHead
from access.models.maintenance import Backup
from access.models.notices import OwnerNotice
from access.models.providers import IdentityProvider
from access.models.sessions import Session
from access.models.tasks import Schedule, TaskLease
from access.models.tenants import Tenant
from access.models.tokens import ApiToken
from access.models.usage import TokenNetwork, TokenUse
from access.models.webhooks import Webhook, WebhookDelivery

__all__ = [
    "Administrator",
    "ApiToken",
    "AuditAnchor",
    "AuditEvent",
    "AuditHead",
    "Backup",
    "CountedAttempt",
    "IdentityProvider",
    "OwnerNotice",
    "Role",
    "Schedule",
    "Session",
    "TaskLease",
    "Tenant",
    "TokenNetwork",
    "TokenUse",
    "Webhook",
    "WebhookDelivery",
]
