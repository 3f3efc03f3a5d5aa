"""Every fault that this room reports: what git, DVC and the check of a pipeline can find wrong."""

from clearance.errors import (
    BusyError,
    ConfigurationError,
    DataError,
    ErrorKind,
    IntegrityError,
    UnavailableError,
)

_RUN = "run the pipeline again (`clearance run`), then repeat this"
_REPAIR = "run `clearance repair`, then run the pipeline again: what does not match is rebuilt"
_PUSH = "see `dvc push -v`, then repeat this; nothing was promoted"

# DVC itself
UNSUPPORTED_DVC = ErrorKind(
    "versioning.unsupported_dvc",
    ConfigurationError,
    "DVC {version} is not supported: {reason}",
    "install the version that requirements.lock pins (`make setup`)",
)
DVC_REFUSED = ErrorKind(
    "versioning.dvc_refused",
    ConfigurationError,
    "DVC: {reason}",
    "fix .dvc/config, .dvc/config.local, dvc.yaml or the file that DVC names",
)
DVC_BUSY = ErrorKind(
    "versioning.dvc_busy", BusyError, "DVC is busy: {reason}", "wait for the other DVC command to end"
)
NOT_A_DVC_PROJECT = ErrorKind(
    "versioning.not_a_dvc_project",
    ConfigurationError,
    "this folder is not under DVC",
    "run `make setup`, or `dvc init`",
)

# Running stages
SOURCE_MISSING = ErrorKind(
    "versioning.source_missing",
    ConfigurationError,
    "{path} is missing",
    "restore it, or correct its path: `source.path` in params.yaml, or else dvc.yaml",
)
PARAMETERS_MISSING = ErrorKind(
    "versioning.parameters_missing",
    ConfigurationError,
    "DVC: {reason}",
    "add the section to params.yaml; for example, `evaluate: {{}}` takes the defaults",
)
INPUT_CHANGED = ErrorKind(
    "versioning.input_changed",
    DataError,
    "an input of {stage} changed while it ran",
    "run again, and do not edit files meanwhile",
)
SNAPSHOT_BUSY = ErrorKind(
    "versioning.snapshot_busy",
    BusyError,
    "another command reads the snapshot or holds DVC's lock",
    "wait until it has ended, then run again",
)
SNAPSHOT_NOT_TRACKED = ErrorKind(
    "versioning.snapshot_not_tracked",
    ConfigurationError,
    "DVC cannot track {folder}: {reason}",
    "name another folder in `source.path`",
)

# dvc.lock
LOCK_UNREADABLE = ErrorKind(
    "versioning.lock_unreadable",
    IntegrityError,
    "{source} is not readable: {reason}",
    "restore it from git or from the version's evidence; a dvc.lock of your own can also be deleted, and "
    "the next run writes it again",
)

# DVC's objects and remote
OBJECT_LOST = ErrorKind(
    "versioning.object_lost",
    IntegrityError,
    "neither DVC's cache nor its remote holds object {name} unchanged",
    "restore it from a copy: `dvc fetch`, or `dvc push` from another machine's cache",
)
REMOTE_UNAVAILABLE = ErrorKind(
    "versioning.remote_unavailable",
    UnavailableError,
    "the DVC remote does not answer: {reason}",
    "run `dvc status --cloud`, then repeat this",
)
REMOTE_NOT_CONFIGURED = ErrorKind(
    "versioning.remote_not_configured",
    ConfigurationError,
    "the DVC remote {name} is not configured",
    "add it: `dvc remote add`",
)
REMOTE_CANNOT_LIST = ErrorKind(
    "versioning.remote_cannot_list",
    ConfigurationError,
    "this kind of remote cannot list or remove objects",
    "remove unused objects from the cache only",
)
OBJECT_NOT_REMOVED = ErrorKind(
    "versioning.object_not_removed",
    UnavailableError,
    "an object cannot be removed: {reason}",
    "check its permissions, then repeat this",
)
PUSH_FAILED = ErrorKind(
    "versioning.push_failed",
    UnavailableError,
    "the outputs cannot be pushed to the DVC remote: {reason}",
    _PUSH,
)
PUSH_INCOMPLETE = ErrorKind(
    "versioning.push_incomplete", UnavailableError, "the DVC remote lacks {outputs} after the push", _PUSH
)
PUSH_CORRUPT = ErrorKind(
    "versioning.push_corrupt",
    UnavailableError,
    "neither the DVC remote nor DVC's cache holds {outputs} as recorded",
    "run `clearance repair` and then the pipeline, which rebuilds it; nothing was promoted",
)

# git
CHECKOUT_OF_ANOTHER_USER = ErrorKind(
    "versioning.checkout_of_another_user",
    ConfigurationError,
    "the checkout {folder} belongs to another user, so git does not read it",
    "if you trust its content, run `git config --global --add safe.directory {folder}`; or `chown -R` it",
)
GIT_REFUSED = ErrorKind(
    "versioning.git_refused",
    ConfigurationError,
    "git: {reason}",
    "fix what git names, then repeat this",
)
GIT_FAILED = ErrorKind(
    "versioning.git_failed", IntegrityError, "git: {reason}", "run `git fsck`, then repeat this"
)
GIT_UNAVAILABLE = ErrorKind(
    "versioning.git_unavailable",
    ConfigurationError,
    "git does not answer: {reason}",
    "check that `git status` works here",
)
COMMIT_UNKNOWN = ErrorKind(
    "versioning.commit_unknown",
    IntegrityError,
    "commit {commit:.12} is not in the git repository at {root}",
    "fetch it: `git fetch --all`",
)

NOT_EXECUTED_HERE = ErrorKind(
    "versioning.not_executed_here",
    IntegrityError,
    "these stages did not run in this checkout, so their outputs came from a cache or elsewhere: {stages}",
    "use `clearance run`, which runs what did not run here; plain `dvc repro` keeps no record",
)
CHECKOUT_NOT_VISIBLE = ErrorKind(
    "versioning.checkout_not_visible",
    IntegrityError,
    "this checkout hides history or files: {reasons}",
    "undo what is named, or work in a fresh clone with its whole history; nothing was signed",
)

# The state of a pipeline
NOT_AN_OUTPUT = ErrorKind(
    "versioning.not_an_output", IntegrityError, "{path} is not an output of the pipeline", _RUN
)
CHANGED_DURING_READING = ErrorKind(
    "versioning.changed_during_reading", IntegrityError, "{path} changed while it was read", _RUN
)
GRAPH_HAS_VARIABLES = ErrorKind(
    "versioning.graph_has_variables",
    IntegrityError,
    "dvc.yaml has variables of its own",
    "write them in params.yaml, then " + _RUN,
)
GRAPH_INVALID = ErrorKind("versioning.graph_invalid", IntegrityError, "dvc.yaml: {reason}", _RUN)
PARAMETER_UNKNOWN = ErrorKind(
    "versioning.parameter_unknown",
    IntegrityError,
    "dvc.yaml names ${{{key}}}, which params.yaml lacks",
    "restore the key",
)
NEVER_RUN = ErrorKind(
    "versioning.never_run", IntegrityError, "dvc.lock is missing: the pipeline has not run here", _RUN
)
STAGE_NOT_RUN = ErrorKind(
    "versioning.stage_not_run", IntegrityError, "dvc.lock has no stage {stage}: it has not run", _RUN
)
IRREGULAR_FILE = ErrorKind(
    "versioning.irregular_file",
    IntegrityError,
    "{path} is a link or not a regular file: its content may change unnoticed",
    "replace it with a copy, or remove it and " + _RUN,
)
OUTPUT_MISSING = ErrorKind("versioning.output_missing", IntegrityError, "{path} is missing", _REPAIR)
INPUT_MISSING = ErrorKind(
    "versioning.input_missing", IntegrityError, "{path} is missing", "restore it, or " + _RUN
)
COMMAND_DIFFERS = ErrorKind(
    "versioning.command_differs",
    IntegrityError,
    "stage {stage} did not run with the command in dvc.yaml",
    _RUN,
)
FILES_DIFFER = ErrorKind(
    "versioning.files_differ",
    IntegrityError,
    "stage {stage}: dvc.yaml and dvc.lock list different {kind}: {paths}",
    _RUN,
)
INPUT_DIFFERS = ErrorKind(
    "versioning.input_differs",
    IntegrityError,
    "{path} is not what stage {stage} recorded in dvc.lock",
    _RUN,
)
OUTPUT_DIFFERS = ErrorKind(
    "versioning.output_differs",
    IntegrityError,
    "{path} is not what stage {stage} recorded in dvc.lock",
    _REPAIR,
)
PARAMETER_DIFFERS = ErrorKind(
    "versioning.parameter_differs",
    IntegrityError,
    "{file}: `{key}` is not what stage {stage} ran with",
    _RUN,
)
VERDICT_INCOMPLETE = ErrorKind(
    "versioning.verdict_incomplete", IntegrityError, "{path} does not cite its evidence ({reason})", _RUN
)
FOREIGN_EVIDENCE = ErrorKind(
    "versioning.foreign_evidence",
    IntegrityError,
    "{verdict} cites {path}, which the pipeline neither reads nor writes",
    _RUN,
)
EVIDENCE_DIFFERS = ErrorKind(
    "versioning.evidence_differs",
    IntegrityError,
    "{path} is not the evidence that {verdict} cites",
    _REPAIR,
)

# --- Projects of one's own

PROJECT_NOT_EMPTY = ErrorKind(
    "versioning.project_not_empty",
    ConfigurationError,
    "{folder} is not empty and was not made by `clearance init --project`",
    "name a new folder",
)
NO_COMMIT = ErrorKind(
    "versioning.no_commit",
    ConfigurationError,
    "{folder} is not a git checkout of Clearance, so no version can be taken from it",
    "run the command in a clone of Clearance",
)
PROJECT_NOT_WRITTEN = ErrorKind(
    "versioning.project_not_written",
    ConfigurationError,
    "git could not write the project: {reason}",
    "correct what git says in the message above, then run the command again",
)
