"""The technical file: what regulation asks about a version, answered by evidence or by a visible gap."""
