"""The MLflow registry and tracking store: the only room that speaks to MLflow.

It records and reads; whether a model may be promoted is decided elsewhere. Everything it writes is found
again by the content fingerprint, so that a second call changes nothing and a killed one is completed.
"""

from clearance.registry.evidence import downloaded, fetch, files, keep
from clearance.registry.model_folder import LOCK, MODEL, Description, describe, digests
from clearance.registry.record import Candidate, DataSet, Record, Tracked
from clearance.registry.released import Kept, Vouched
from clearance.registry.released import read as read_kept
from clearance.registry.server import Server, connect
from clearance.registry.test_set_uses import count as count_test_uses
from clearance.registry.tracking import find, link, track
from clearance.registry.version import Version
from clearance.registry.versions import (
    CHAMPION,
    candidate_name,
    candidate_version,
    champion,
    copy,
    crown,
    find_number,
    find_version,
    mark,
    register,
    uncrown,
    unsound,
    verify_files,
)

__all__ = [
    "CHAMPION",
    "LOCK",
    "MODEL",
    "Candidate",
    "DataSet",
    "Description",
    "Kept",
    "Record",
    "Server",
    "Tracked",
    "Version",
    "Vouched",
    "candidate_name",
    "candidate_version",
    "champion",
    "connect",
    "copy",
    "count_test_uses",
    "crown",
    "describe",
    "digests",
    "downloaded",
    "fetch",
    "files",
    "find",
    "find_number",
    "find_version",
    "keep",
    "link",
    "mark",
    "read_kept",
    "register",
    "track",
    "uncrown",
    "unsound",
    "verify_files",
]
