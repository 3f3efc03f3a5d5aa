"""What can go wrong in this room: one entry for each kind of fault."""

from __future__ import annotations

from clearance import foreign_text
from clearance.errors import (
    ConfigurationError,
    ErrorKind,
    IntegrityError,
    ReleaseRefused,
    TransientError,
)

_INVESTIGATE = "roll back to a version that verifies, and find out who did it"

LEDGER_UNSOUND = ErrorKind(
    "promotion.ledger_unsound",
    IntegrityError,
    "the ledger does not verify: {finding}",
    "run `clearance ledger verify`; restore its database and checkpoints from a backup",
)
IMAGE_WITHOUT_DIGEST = ErrorKind(
    "promotion.image_without_digest",
    ConfigurationError,
    "{variable} is {name}, which names no image by its digest",
    "set it to NAME@sha256:… of the image that runs, or unset it",
)
NO_REASON = ErrorKind(
    "promotion.no_reason",
    ConfigurationError,
    "the reason has no visible character",
    "give a reason that people can read",
)
RIGHT_MISSING = ErrorKind(
    "promotion.right_missing",
    ReleaseRefused,
    "{identity} may not {action}: none of their roles gives the right {right}",
    "set {variable} to a person whose role in policies/roles.yaml gives it",
)

PROPOSALS_DIFFER = ErrorKind(
    "promotion.proposals_differ",
    IntegrityError,
    "entry {entry} proposes version {version} with other evidence than an earlier entry did",
    "find out who released it a second time; delete the version in MLflow and release again",
)
NEVER_PROPOSED = ErrorKind(
    "promotion.never_proposed",
    IntegrityError,
    "{version} was never proposed: the ledger has no entry of it",
    "run `clearance release` where it was made",
)
TAG_CHANGED = ErrorKind(
    "promotion.tag_changed",
    IntegrityError,
    "{version}: its tag {tag} is not what was judged",
    "find out who changed it, delete that version in MLflow, then repeat this",
)

VERDICT_NOT_REPRODUCED = ErrorKind(
    "promotion.verdict_not_reproduced",
    IntegrityError,
    "{verdict} is not what the policy says about the evidence",
    "run `clearance repair`, then run the pipeline again: it judges the model again",
)
CHAMPION_EVIDENCE_CHANGED = ErrorKind(
    "promotion.champion_evidence_changed",
    IntegrityError,
    "the evidence of the champion, {candidates} version {version}, is missing or was replaced",
    "find out who changed it; roll back to a version that verifies, or restore MLflow from a backup",
)

VOID_ENTRY = ErrorKind(
    "promotion.void_entry",
    ReleaseRefused,
    "a {kind} by {actor} would not count: {why}",
    "nothing was recorded; ask somebody whose role gives the right, or fix what is wrong",
)
CLOCK_BEHIND = ErrorKind(
    "promotion.clock_behind",
    ConfigurationError,
    "{why}",
    "set the clock of this machine; nothing was recorded",
)
NOT_AN_INTENT = ErrorKind(
    "promotion.not_an_intent",
    IntegrityError,
    "entry {entry} does not begin a change of the champion",
    "run `clearance ledger verify`, then restore the ledger and its checkpoints from a backup",
)
NO_PROMOTION_RECORDED = ErrorKind(
    "promotion.no_promotion_recorded",
    ConfigurationError,
    "the ledger records no promotion of {version}",
    _INVESTIGATE,
)
CHANGE_BEFORE_PROMOTION = ErrorKind(
    "promotion.change_before_promotion",
    ConfigurationError,
    "entry {entry} changes the champion to this version before any promotion of it",
    _INVESTIGATE,
)
CHANGE_NEVER_STARTED = ErrorKind(
    "promotion.change_never_started",
    ConfigurationError,
    "entry {entry} completes a change that was never started",
    _INVESTIGATE,
)
CHANGE_WITHOUT_RIGHT = ErrorKind(
    "promotion.change_without_right",
    ConfigurationError,
    "entry {entry}: {identity} started this change without the right to",
    _INVESTIGATE,
)
PROMOTED_AGAINST_POLICY = ErrorKind(
    "promotion.promoted_against_policy",
    ConfigurationError,
    "entry {entry} promoted it although this stood in the way: {reason}",
    _INVESTIGATE,
)
PREDECESSOR_UNFIT = ErrorKind(
    "promotion.predecessor_unfit",
    ConfigurationError,
    "version {version}, a champion before it, did not become champion as it must: {why}",
    "find out who promoted it; where it is still champion, `clearance rollback` to one that verifies",
)
CHAMPION_LAPSED = ErrorKind(
    "promotion.champion_lapsed",
    ConfigurationError,
    "what allowed the champion has ended: {why}",
    "decide on it again, roll back, or retire it",
)
OVERRIDE_ENDED = ErrorKind(
    "promotion.override_ended",
    ConfigurationError,
    "its promotion rests on an override, which ended on {day}",
    "two people override it again, or roll back or retire it",
)

REVIEW_OUTDATED = ErrorKind(
    "promotion.review_outdated",
    ReleaseRefused,
    "{version} is not promoted: {reason}",
    "see `clearance verify`",
)
ALIAS_MOVED = ErrorKind(
    "promotion.alias_moved",
    IntegrityError,
    "the alias `champion` of {name} {position}, but the ledger's champion is {champion}",
    "find out who moved it; to restore it, {remedy}, then repeat this",
)
STEP_NOT_KEPT = ErrorKind(
    "promotion.step_not_kept",
    TransientError,
    "MLflow did not keep this step: {step}",
    "repeat this",
)

UNKNOWN_ACCOUNT = ErrorKind(
    "promotion.unknown_account",
    ConfigurationError,
    "policies/roles.yaml lists nobody with the account {account}",
    "have the root sign it into `accounts` of the person who holds it",
)
NOTHING_TO_REVOKE = ErrorKind(
    "promotion.nothing_to_revoke",
    ConfigurationError,
    "{identity} has no decision on {version} to revoke",
    "see `clearance ledger show`",
)

CANDIDATE_GONE = ErrorKind(
    "promotion.candidate_gone",
    IntegrityError,
    "candidate {version}, a former champion, is gone from MLflow",
    "restore it from a backup, or choose another",
)
COPY_GONE = ErrorKind(
    "promotion.copy_gone",
    IntegrityError,
    "{name} has no copy of {version}",
    "restore it from a backup, or choose another",
)
REJECTED_SINCE = ErrorKind(
    "promotion.rejected_since",
    ConfigurationError,
    "{version} was rejected: {rejections}",
    "choose another version; the person who rejected it can revoke that",
)
NO_CHAMPION = ErrorKind(
    "promotion.no_champion", ConfigurationError, "{name} has no champion", "there is nothing to retire"
)
NO_EARLIER_CHAMPION = ErrorKind(
    "promotion.no_earlier_champion",
    ConfigurationError,
    "there is no earlier champion",
    "release another version, or name one with --to",
)
NEVER_CHAMPION = ErrorKind(
    "promotion.never_champion",
    ConfigurationError,
    "candidate {version} was never champion",
    "choose one that was: {champions}",
)
ROLLBACK_NOT_KEPT = ErrorKind(
    "promotion.rollback_not_kept",
    TransientError,
    "the ledger did not keep this rollback",
    "repeat this",
)

CHALLENGER_PLANTED = ErrorKind(
    "promotion.challenger_planted",
    IntegrityError,
    "the alias challenger of {name} points at {alias}, and the ledger says {told}",
    "find out who moved it; `clearance shadow VERSION` or `clearance shadow --off` sets both",
)
CHALLENGER_NOT_SCORED_HERE = ErrorKind(
    "promotion.challenger_not_scored_here",
    ConfigurationError,
    "version {version} is a table of answers or runs only in a sandbox, so it cannot score new rows",
    "choose a candidate whose model file is stored in the registry",
)
CHALLENGES_ITSELF = ErrorKind(
    "promotion.challenges_itself",
    ConfigurationError,
    "version {version} is the champion, so it cannot be its challenger",
    "name another candidate; `clearance list` shows them",
)

REGISTRY_NOT_SHARED = ErrorKind(
    "promotion.registry_not_shared",
    ReleaseRefused,
    "{variable} is set, but MLflow at {addresses} would be lost with this machine",
    "set MLFLOW_TRACKING_URI to a shared server",
)
LEDGER_NOT_SHARED = ErrorKind(
    "promotion.ledger_not_shared",
    ReleaseRefused,
    "{variable} is set, and the ledger would be lost with this machine",
    "set CLEARANCE_LEDGER to a PostgreSQL database and CLEARANCE_CHECKPOINTS to files that stay",
)
REMOTE_NOT_SHARED = ErrorKind(
    "promotion.remote_not_shared",
    ReleaseRefused,
    "{variable} is set, but there is no shared DVC remote that keeps data and models",
    "add one: `dvc remote add --default NAME URL`",
)
RUN_INCOMPLETE = ErrorKind(
    "promotion.run_incomplete",
    IntegrityError,
    "MLflow has no complete run of this model",
    "run `clearance track`, then repeat this",
)

NO_RETENTION_PERIOD = ErrorKind(
    "promotion.no_retention_period",
    ConfigurationError,
    "{file} names no retention period for {name}, so its entries are kept for good",
    "add one to its policy: `retention: {{others: YEARS}}`",
)
BUNDLE_NOT_PROPOSED = ErrorKind(
    "promotion.bundle_not_proposed",
    IntegrityError,
    "{version}: its evidence bundle is not the one that was proposed",
    "run `clearance verify` on it; nothing was removed",
)
BUNDLE_NOT_RELEASED = ErrorKind(
    "promotion.bundle_not_released",
    ConfigurationError,
    "the signature is valid, but the ledger has no proposal of this bundle",
    "release it",
)
REBUILD_DIFFERS = ErrorKind(
    "promotion.rebuild_differs",
    IntegrityError,
    "{version} was built again, and something else came out",
    _INVESTIGATE,
)
COMPARISON_NOT_REPEATED = ErrorKind(
    "promotion.comparison_not_repeated",
    IntegrityError,
    "{version}: the comparison with the champion differs from the recorded one when repeated: {outcome}",
    "find out who recorded it; an honest one comes from `clearance release` where the version was made",
)
REMOTE_LACKS_OUTPUTS = ErrorKind(
    "promotion.remote_lacks_outputs",
    IntegrityError,
    "{version}: the DVC remote lacks {outputs}, which the proposal says were pushed",
    "run `clearance release` where it was made, which pushes them",
)
COMPARISON_CHANGED = ErrorKind(
    "promotion.comparison_changed",
    IntegrityError,
    "{file} of its run is not the comparison that was recorded",
    "run `clearance release` where it was made: it stores the comparison again",
)
VERSIONS_PLANTED = ErrorKind(
    "promotion.versions_planted",
    IntegrityError,
    "MLflow holds under {name} what the ledger does not record: {planted}",
    "find out who put it there, and delete it in MLflow; only the alias `champion` is served from",
)

NOT_RESTRICTED = ErrorKind(
    "promotion.not_restricted",
    ConfigurationError,
    "{name} version {version} is neither held nor stopped",
    "`clearance decisions restriction` shows what is in force",
)
NO_CHAMPION_TO_RESTRICT = ErrorKind(
    "promotion.no_champion_to_restrict",
    ConfigurationError,
    "{name} has no champion, so nothing decides that could be held or stopped",
    "name a candidate with --version",
)
NO_OPEN_INCIDENT = ErrorKind(
    "promotion.no_open_incident",
    ConfigurationError,
    "{number} is not an open incident; open are {listed}",
    "`clearance incident list` shows every incident with its number",
)
NO_SUCH_INCIDENT = ErrorKind(
    "promotion.no_such_incident",
    ConfigurationError,
    "{number} is not an incident of this model",
    "`clearance incident list` shows every incident with its number",
)
AWARE_IN_FUTURE = ErrorKind(
    "promotion.aware_in_future",
    ConfigurationError,
    "nobody can have become aware of an incident at {at}, which has not come yet",
    "give the time in UTC at which the first person knew",
)
UNKNOWN_CATEGORY = ErrorKind(
    "promotion.unknown_category",
    ConfigurationError,
    "the policy has no deadline for incidents of the kind `{category}`",
    "use one of {known}, or add a deadline to `monitoring.deadlines` of the policy",
)
REPORT_MISSING = ErrorKind(
    "promotion.report_missing",
    ReleaseRefused,
    "incident {number} cannot be closed: the whole report to {to} is missing",
    "`clearance incident report {number} --deadline {deadline} --complete`, or say with "
    "`--category not_reportable` why none is due",
)
REPORT_OUT_OF_ORDER = ErrorKind(
    "promotion.report_out_of_order",
    ReleaseRefused,
    "a deployer tells {to} first, and no such report is recorded",
    "record it, or that they could not be reached, with `--deadline {deadline}`",
)
NO_SUCH_DEADLINE = ErrorKind(
    "promotion.no_such_deadline",
    ConfigurationError,
    "the incident has no deadline `{deadline}`",
    "its deadlines are {listed}",
)


def ensure_reason(reason: str) -> None:
    """Raise ConfigurationError unless the reason has a visible character."""
    if not foreign_text.is_visible(reason):
        raise NO_REASON()


UNDOCUMENTED = ErrorKind(
    "promotion.undocumented",
    ReleaseRefused,
    "Its model card has gaps where the policy requires an answer: {sections}",
    "fill them in card.yaml, which `clearance check` examines, and run `clearance run`",
)
