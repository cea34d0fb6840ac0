"""Words on the screen that differ between versions of the product's documentation, each in this one place."""

PRODUCT = "Iru Endpoint"
ACCESS = "Access"
API_TOKENS = "API tokens"
ADD_TOKEN = "Add API Token"  # noqa: S105
