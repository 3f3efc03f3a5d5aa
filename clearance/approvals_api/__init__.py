"""The approvals API: decisions over HTTP, by people whom an identity provider authenticates with a token."""
