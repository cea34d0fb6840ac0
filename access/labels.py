"""Labels that differ between versions of the product's documentation, each defined once."""

PRODUCT = "Iru Endpoint"
ACCESS = "Access"
API_TOKENS = "API tokens"
ADD_TOKEN = "Add API Token"  # noqa: S105
WEBHOOKS = "Webhooks"
PEOPLE = "Admin and authentication"
