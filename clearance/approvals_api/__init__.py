"""What Clearance serves over HTTP: approvals, for people whom an identity provider vouches for by a token."""
