"""The MLflow registry and tracking store: the only room that speaks to MLflow.

It records and reads; whether a model may be promoted is decided elsewhere. Everything it writes is found
again by the content fingerprint, so that a second call changes nothing and a killed one is completed.
"""

from clearance.registry import _mlflow  # noqa: F401 - before every other import of MLflow
from clearance.registry.evidence import downloaded_model, fetch_files, model_file_digests, store_evidence
from clearance.registry.model_folder import LOCK, MODEL, ModelDescription, describe_model, folder_digests
from clearance.registry.record import CandidateRun, DataSet, RunRecord, TrackedRun
from clearance.registry.released import ReleasedModel, SignedDigests, load_released
from clearance.registry.server import MlflowServer, connect
from clearance.registry.test_set_uses import count as count_test_uses
from clearance.registry.tracking import find_run, link_runs, track_run
from clearance.registry.version import Version
from clearance.registry.versions import (
    CHAMPION,
    annotate,
    candidate_name,
    candidate_version,
    champion,
    clear_champion,
    copy_version,
    find_number,
    find_version,
    register_version,
    set_champion,
    unsound,
    verify_files,
)

__all__ = [
    "CHAMPION",
    "LOCK",
    "MODEL",
    "CandidateRun",
    "DataSet",
    "MlflowServer",
    "ModelDescription",
    "ReleasedModel",
    "RunRecord",
    "SignedDigests",
    "TrackedRun",
    "Version",
    "annotate",
    "candidate_name",
    "candidate_version",
    "champion",
    "clear_champion",
    "connect",
    "copy_version",
    "count_test_uses",
    "describe_model",
    "downloaded_model",
    "fetch_files",
    "find_number",
    "find_run",
    "find_version",
    "folder_digests",
    "link_runs",
    "load_released",
    "model_file_digests",
    "register_version",
    "set_champion",
    "store_evidence",
    "track_run",
    "unsound",
    "verify_files",
]
