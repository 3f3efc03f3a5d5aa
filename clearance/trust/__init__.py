"""Who signs what, and who may: keys, envelopes, statements, the roles file and its root, approvals.

Nothing here reads a clock or a registry, promotes or records: the caller says what was recorded when.
"""
