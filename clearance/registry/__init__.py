"""The MLflow registry and tracking store: the only room that imports MLflow.

It records and reads; whether a model may be promoted is decided elsewhere. Everything it writes is found
again by its content fingerprint, so a second call changes nothing and completes one that was killed. Each
name is imported at its first use: a command that reads only the ledger does not wait for MLflow.
"""

from importlib import import_module
from typing import Any

from clearance.registry import collector

_MODULE_OF = {
    "downloaded_model": "evidence",
    "fetch_files": "evidence",
    "fetch_verified": "evidence",
    "model_file_digests": "evidence",
    "store_evidence": "evidence",
    "verified_model": "evidence",
    "LOCK": "model_folder",
    "MODEL": "model_folder",
    "ModelDescription": "model_folder",
    "describe_model": "model_folder",
    "folder_digests": "model_folder",
    "CandidateRun": "run_values",
    "DataSet": "run_values",
    "RunRecord": "run_values",
    "TrackedRun": "run_values",
    "ReleasedModel": "released",
    "SignedDigests": "released",
    "load_released": "released",
    "MlflowServer": "mlflow_server",
    "connect": "mlflow_server",
    "count_test_uses": "test_set_uses",
    "SOURCE": "tracked_attempts",
    "TrackedAttempt": "tracked_attempts",
    "attempt_facts": "tracked_attempts",
    "find_attempts": "tracked_attempts",
    "find_run": "tracking",
    "link_runs": "tracking",
    "track_run": "tracking",
    "Version": "version",
    "CHALLENGER": "versions",
    "CHAMPION": "versions",
    "aliases": "versions",
    "annotate": "versions",
    "candidate_name": "versions",
    "candidate_version": "versions",
    "challenger": "versions",
    "champion": "versions",
    "clear_challenger": "versions",
    "clear_champion": "versions",
    "copy_version": "versions",
    "discard_version": "versions",
    "find_number": "versions",
    "find_version": "versions",
    "list_versions": "versions",
    "register_version": "versions",
    "set_challenger": "versions",
    "set_champion": "versions",
    "unsound": "versions",
    "verify_files": "versions",
}

__all__ = list(_MODULE_OF)


def __getattr__(name: str) -> Any:
    """A name of this room, imported at its first use."""
    if name in _MODULE_OF:
        with collector.paused():
            return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
