"""Documents about one version, composed when they are read: its signed evidence, and what the ledger adds."""
