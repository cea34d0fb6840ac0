"""The check of the OpenAPI document against a running server by schemathesis, which `docs/checks.md` describes."""
