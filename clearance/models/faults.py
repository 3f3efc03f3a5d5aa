"""The faults of this room: estimators and mitigations that do not go together, and unsafe model files."""

from __future__ import annotations

from clearance.errors import ConfigurationError, DataError, ErrorKind, IntegrityError


class IncompatibleMitigation(ConfigurationError):
    """An estimator and a mitigation do not go together, or not on these rows."""


_NAME_AN_ESTIMATOR = "name one of {built_in}, or the import path of an installed classifier"

# --- Estimators

UNKNOWN_ESTIMATOR = ErrorKind(
    "models.unknown_estimator", ConfigurationError, "there is no estimator `{path}`", _NAME_AN_ESTIMATOR
)
IMPORT_FAILED = ErrorKind(
    "models.import_failed", ConfigurationError, "{path} cannot be imported: {reason}", _NAME_AN_ESTIMATOR
)
NOT_A_CLASS = ErrorKind("models.not_a_class", ConfigurationError, "{path} is not a class", _NAME_AN_ESTIMATOR)
NO_PACKAGE = ErrorKind(
    "models.no_package",
    ConfigurationError,
    "{path} belongs to no installed package, so nothing records when it changes",
    "install it as a package with a version, or " + _NAME_AN_ESTIMATOR,
)
PACKAGE_NOT_INSTALLED = ErrorKind(
    "models.package_not_installed",
    ConfigurationError,
    "the package {package} is not installed",
    "add it to `dependencies` in pyproject.toml, run `make lock` and `make setup` (docs/your-model.md), or "
    + _NAME_AN_ESTIMATOR,
)
EXTRA_NOT_INSTALLED = ErrorKind(
    "models.extra_not_installed",
    ConfigurationError,
    "{extra} is not installed: it is an optional library",
    "run `make setup EXTRAS={extra}`",
)
NO_PROBABILITIES = ErrorKind(
    "models.no_probabilities",
    ConfigurationError,
    "{path} gives no probabilities (`predict_proba`)",
    _NAME_AN_ESTIMATOR,
)
SCORES_OUT_OF_RANGE = ErrorKind(
    "models.scores_out_of_range",
    ConfigurationError,
    "the scores of {estimator} are not probabilities: some lie outside 0 to 1",
    "choose another estimator",
)
CANNOT_BE_CREATED = ErrorKind(
    "models.cannot_be_created",
    ConfigurationError,
    "{path} cannot be created: {reason}",
    "correct `train.arguments`, or " + _NAME_AN_ESTIMATOR,
)
UNKNOWN_ARGUMENT = ErrorKind(
    "models.unknown_argument",
    ConfigurationError,
    "{estimator} has no argument `{argument}`{suggestion}",
    "correct `{key}` in params.yaml; the arguments are {arguments}",
)
CANNOT_BE_FITTED = ErrorKind(
    "models.cannot_be_fitted",
    ConfigurationError,
    "{estimator} cannot be fitted: {reason}",
    "correct `train.arguments` or `train.search` in params.yaml",
)
TOO_FEW_ROWS_FOR_FOLDS = ErrorKind(
    "models.too_few_rows_for_folds",
    ConfigurationError,
    "{folds} folds need at least {folds} train rows of each outcome; the rarer outcome has {rows}",
    "set `train.search.folds` lower",
)

# --- Candidates and mitigations. The faults of an incompatible mitigation stand in the training record.

NO_ROW_WEIGHTS = ErrorKind(
    "models.no_row_weights",
    IncompatibleMitigation,
    "{estimator} takes no row weights, which {method} needs",
    "choose another mitigation, or an estimator whose `fit` takes `sample_weight`",
)
ONLY_CONSTANT_PREDICTORS = ErrorKind(
    "models.only_constant_predictors",
    IncompatibleMitigation,
    "{mitigation} finds no predictor that is more than a constant",
    "loosen `bound`, or choose another mitigation",
)
TOO_FEW_GROUPS = ErrorKind(
    "models.too_few_groups",
    IncompatibleMitigation,
    "fewer than two groups have {rows} tune rows and both outcomes",
    "give `split.tune` more rows, or choose another mitigation",
)
NO_CANDIDATE_FITTED = ErrorKind(
    "models.no_candidate_fitted",
    ConfigurationError,
    "no candidate could be fitted: {reasons}",
    "name other mitigations or estimators in `train`, or ask the owners of the policy",
)
PROTECTED_NOT_ALLOWED = ErrorKind(
    "models.protected_not_allowed",
    ConfigurationError,
    "{methods} uses protected attributes in every decision, and `train.protected_at_decision` is not set",
    "choose another mitigation, or set `train.protected_at_decision`; the policy must allow it too",
)
ONE_OUTCOME = ErrorKind(
    "models.one_outcome",
    DataError,
    "the tune rows do not have both outcomes, so no threshold can be chosen on them",
    "give `split.tune` more rows, or set `train.threshold` to {{fixed: 0.5}}",
)

TRAIN_ROWS_ONE_OUTCOME = ErrorKind(
    "models.train_rows_one_outcome",
    DataError,
    "the {rows:train row does|train rows do} not have both outcomes, so nothing can be learned",
    "check `data.target` and `data.favourable`, or bring more rows",
)

# --- Features

FEATURES_EMPTY = ErrorKind(
    "models.features_empty",
    DataError,
    "no train row has a value in {features}",
    "take the column out of `data.features`, or correct its source",
)

FEATURE_TYPE = ErrorKind(
    "models.feature_type",
    DataError,
    "feature `{feature}` holds {kind} values, which no model takes",
    "derive a number or a text from it in `source.select`, or take it out of `data.features`",
)
FEATURES_MISSING = ErrorKind(
    "models.features_missing",
    DataError,
    "the table lacks these features: {features}",
    "give the model every column it was trained on",
)
FEATURE_NOT_NUMERIC = ErrorKind(
    "models.feature_not_numeric",
    DataError,
    "feature `{feature}` is declared as a number but holds something else",
    "correct the column, or declare its type as `text` in `data.columns`",
)
FEATURE_INFINITE = ErrorKind(
    "models.feature_infinite",
    DataError,
    "feature `{feature}` holds an infinite number",
    "turn it into a null or a finite number in `source.select`",
)
FEATURE_MIXED = ErrorKind(
    "models.feature_mixed",
    DataError,
    "feature `{feature}` mixes values of several types",
    "give the column one type in `source.select`",
)

# --- Model files

NOT_STORABLE = ErrorKind(
    "models.not_storable",
    ConfigurationError,
    "a {kind} cannot be stored without pickle, or loaded safely: {reason}",
    "choose another estimator in `train.estimator`",
)
UNTRUSTED_TYPES = ErrorKind(
    "models.untrusted_types",
    ConfigurationError,
    "the model holds types that are not trusted: {types}",
    "have compliance review what creating one does, and add to {more_trusted}:{entries}",
)
NOT_LOADABLE = ErrorKind(
    "models.not_loadable",
    IntegrityError,
    "{path} cannot be loaded safely ({reason})",
    "train it again; {more_trusted} lists the further types that a model may hold",
)
FILE_TOO_LARGE = ErrorKind(
    "models.file_too_large",
    IntegrityError,
    "{path} is larger than a model file may be ({limit} bytes)",
    "train it again",
)
TRUSTED_TYPES_UNREADABLE = ErrorKind(
    "models.trusted_types_unreadable",
    ConfigurationError,
    "{path} is not readable YAML: {reason}",
    "correct the line in the message above",
)
TRUSTED_TYPES_MALFORMED = ErrorKind(
    "models.trusted_types_malformed",
    ConfigurationError,
    "{path} is not a list of types with a reason for each",
    "write each entry as `- {{type: package.module.Class, reason: why it may be loaded}}`",
)
ANOTHER_THRESHOLD = ErrorKind(
    "models.another_threshold",
    IntegrityError,
    "{path} decides from the score {threshold} on, but {judged} was judged",
    "run the pipeline again; the model that is registered must decide as it was judged",
)
CANNOT_BE_DRAWN_AGAIN = ErrorKind(
    "models.cannot_be_drawn_again",
    ConfigurationError,
    "{estimator}, fitted twice on the same rows with the same seed, gives two different models",
    "set what makes its draws repeatable in `train.arguments`, or choose another estimator: a model that "
    "cannot be fitted again is not evidence",
)
CHANGED_WHEN_STORED = ErrorKind(
    "models.changed_when_stored",
    ConfigurationError,
    "{estimator} scores differently after it was stored and loaded again",
    "choose another estimator in `train.estimator`",
)
