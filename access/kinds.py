"""The kinds of events that owners get mail about and that webhooks can subscribe to: each is declared once, here.

The boxes of a webhook's form, the texts of the mails and the types of the messages are made from this table. An `id` is
public, and permanent once released.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind. `id` is the `type` of its message, `about` says when it happens, and `advice` is the end of its mail.

    `mailed`: the Account Owner gets a mail. `subscribable`: the form of a webhook offers it.
    """

    id: str
    label: str
    about: str
    mailed: bool = False
    subscribable: bool = True
    advice: str = ""


_UNEXPECTED = (
    "If this was not expected, open the page of the token and revoke it. From then on calls with it are refused."
)

TOKEN_CREATED = Kind(
    id="token.created", label="API token created", about="A token was created.", mailed=True, advice=_UNEXPECTED
)
TOKEN_ROTATED = Kind(
    id="token.rotated", label="API token rotated", about="A token got a new secret.", mailed=True, advice=_UNEXPECTED
)
TOKEN_SENSITIVE_GRANTED = Kind(
    id="token.sensitive_granted",
    label="Sensitive permissions granted",
    about="A token got permissions that are marked as sensitive.",
    mailed=True,
    advice=_UNEXPECTED,
)
TOKEN_NEW_NETWORK = Kind(
    id="token.new_network",
    label="API token used from a new network",
    about="A token was used from a network that it was not used from for 90 days.",
    mailed=True,
    advice=_UNEXPECTED,
)
TOKEN_REVOKED = Kind(id="token.revoked", label="API token revoked", about="A token was revoked.")
TOKEN_DISABLED = Kind(id="token.disabled", label="API token disabled", about="A token was disabled.")
TOKEN_LEAKED = Kind(
    id="token.leaked",
    label="API token leaked",
    about="The secret of a token was reported as leaked. The secret was ended at once.",
    mailed=True,
    advice="Rotate the token, give its integration the new secret, and enable the token. Look at its usage for calls "
    "that are not yours. If the integration is not needed any more, revoke the token.",
)
TOKEN_EXPIRING = Kind(
    id="token.expiring",
    label="API token expires soon",
    about="A token expires in 30, 7 or 1 days.",
    mailed=True,
    advice="Rotate the token if its integration needs a new secret, or choose a later expiry on the page of the token.",
)
PUSH_CERTIFICATE_EXPIRING = Kind(
    id="push_certificate.expiring",
    label="Apple push certificate expires soon",
    about="The Apple push certificate expires in 60, 30, 14, 7 or 1 days.",
    mailed=True,
    advice="Renew the push certificate at identity.apple.com/pushcert, with the same Apple account, and upload it. "
    "Without it no device can be woken, and a new one in its place would have every device enrolled again.",
)
WEBHOOK_DISABLED = Kind(
    id="webhook.disabled",
    label="Webhook disabled",
    about="A webhook was disabled because its messages could not be delivered.",
    mailed=True,
    subscribable=False,
    advice="Repair the receiver, then enable the webhook on its page. Messages that wait are then sent.",
)
WEBHOOK_TEST = Kind(id="webhook.test", label="Test message", about="A person asked for a test.", subscribable=False)
AUDIT_EVENT = Kind(
    id="audit.event", label="Audit event", about="A change was added to the audit trail.", subscribable=False
)

KINDS = {
    kind.id: kind
    for kind in (
        TOKEN_CREATED,
        TOKEN_ROTATED,
        TOKEN_SENSITIVE_GRANTED,
        TOKEN_NEW_NETWORK,
        TOKEN_REVOKED,
        TOKEN_DISABLED,
        TOKEN_LEAKED,
        TOKEN_EXPIRING,
        PUSH_CERTIFICATE_EXPIRING,
        WEBHOOK_DISABLED,
        WEBHOOK_TEST,
        AUDIT_EVENT,
    )
}
SUBSCRIBABLE = [kind for kind in KINDS.values() if kind.subscribable]
MAILED = [kind for kind in KINDS.values() if kind.mailed]
