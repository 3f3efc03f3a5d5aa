"""Keys, signed envelopes, the roles file and its root, and approvals: who signed what, and who may.

Nothing here reads a clock or a registry, promotes or records: the caller says what was recorded when.
"""
