"""Who agreed to what: the ledger, the roles and the evidence of a version, read together.

It records and tells what stands; nothing here moves an alias in the registry.
"""
