"""What `docs/checks.md` describes: the OpenAPI document against a running server, by schemathesis."""
