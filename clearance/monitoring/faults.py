"""The faults of monitoring, by their stable codes."""

from __future__ import annotations

from clearance.errors import BusyError, ConfigurationError, ErrorKind, UnavailableError

# The store of counts and looks

INVALID_ADDRESS = ErrorKind(
    "monitoring.invalid_address",
    ConfigurationError,
    "CLEARANCE_MONITORING_URL is not the URL of an SQLite file or a PostgreSQL database",
    "such as sqlite:////path/to/monitoring.db or postgresql://user:password@host/name",
)
STORE_BUSY = ErrorKind(
    "monitoring.store_busy",
    BusyError,
    "{database} is in use by another process",
    "try again; nothing was counted twice and nothing is lost",
)
STORE_UNAVAILABLE = ErrorKind(
    "monitoring.store_unavailable",
    UnavailableError,
    "{database} cannot be used ({why})",
    "check its address, its server and the disk; nothing was counted twice and nothing is lost",
)
