"""The approvals API: people decide over HTTP, and an identity provider authenticates them with a token."""
