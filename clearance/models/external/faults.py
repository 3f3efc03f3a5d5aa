"""The faults of models made elsewhere: files that may not be loaded, and answers that do not fit."""

from __future__ import annotations

from clearance.errors import ConfigurationError, DataError, ErrorKind, IntegrityError

_ASK = "ask the maker of the model for a corrected table"

# --- The file

UNKNOWN_FORMAT = ErrorKind(
    "models.external_unknown_format",
    ConfigurationError,
    "{path} does not end like a file that a model may come in ({suffixes})",
    "rename it, or name its `format` in `train.external`",
)
WRONG_FORMAT = ErrorKind(
    "models.external_wrong_format",
    ConfigurationError,
    "{path} is not a {format} file: {reason}",
    "correct `file` or `format` in `train.external`, or save the model again",
)
CATBOOST_FILE = ErrorKind(
    "models.external_catboost_file",
    ConfigurationError,
    "{path} is a CatBoost file, which is not among the formats that are read",
    'save the model as ONNX (`save_model("model.onnx", format="onnx")`), or train it here with '
    "`train.estimator: catboost`",
)
RUNS_CODE = ErrorKind(
    "models.external_runs_code",
    ConfigurationError,
    "{path} is a {kind}: loading it would run code from the file",
    "save the model with skops or as ONNX, or bring a table of its scores",
)
PACKED = ErrorKind(
    "models.external_packed",
    ConfigurationError,
    "{path} is packed ({kind})",
    "unpack it, and name the unpacked file",
)
TOO_LARGE = ErrorKind(
    "models.external_too_large",
    ConfigurationError,
    "{path} holds more than a model file may ({limit} bytes)",
    "bring a table of its scores instead",
)
NOT_LOADABLE = ErrorKind(
    "models.external_not_loadable",
    ConfigurationError,
    "{path} cannot be loaded safely ({reason})",
    "save the model again, or bring a table of its scores",
)
UNTRUSTED_TYPES = ErrorKind(
    "models.external_untrusted_types",
    ConfigurationError,
    "{path} holds types that are not trusted: {types}",
    "have compliance review them and add them to {more_trusted}, or bring a table of the model's scores",
)
LIBRARY_MISSING = ErrorKind(
    "models.external_library_missing",
    ConfigurationError,
    "a model in the {format} format needs {library}, which is not installed",
    "run `make setup EXTRAS={format}`, or bring a table of the model's scores",
)
LIBRARY_VERSION = ErrorKind(
    "models.external_library_version",
    ConfigurationError,
    "{path} was saved by {library} {then}, and requirements.lock has {now}",
    "save the model with {library} {now}, lock {library} {then}, or bring a table of the model's scores",
)

# --- The model

NOT_A_CLASSIFIER = ErrorKind(
    "models.external_no_probabilities",
    ConfigurationError,
    "{path} gives no probabilities: {reason}",
    "bring a model of two outcomes with probabilities, or a table of its decisions",
)
NOT_TWO_CLASSES = ErrorKind(
    "models.external_not_two_classes",
    ConfigurationError,
    "{path} tells {count:outcome|outcomes} apart{classes}, not two",
    "bring a model of the two outcomes of `data.target`",
)
FAVOURABLE_UNKNOWN = ErrorKind(
    "models.external_favourable_unknown",
    ConfigurationError,
    "{path} calls its outcomes {classes}; none of them is {favourable}",
    "say in `train.external.favourable` which of them is the favourable one",
)
FEATURES_UNNAMED = ErrorKind(
    "models.external_features_unnamed",
    ConfigurationError,
    "{path} does not name its {count:input|inputs}",
    "list the features in the model's order in `train.external.features`",
)
FEATURES_DIFFER = ErrorKind(
    "models.external_features_differ",
    ConfigurationError,
    "{path} takes other features than `data.features`: {differences}",
    "make `data.features` the model's own features, or derive the missing ones in `source.select`",
)
FEATURES_CONTRADICT = ErrorKind(
    "models.external_features_contradict",
    ConfigurationError,
    "{path} names other features than `train.external.features`: {differences}",
    "leave `train.external.features` out: the file names its features",
)
WRONG_SHAPE = ErrorKind(
    "models.external_wrong_shape",
    ConfigurationError,
    "{path} cannot score these rows: {reason}",
    "check that the model takes these features in this order, as numbers and texts",
)
PROTECTED_INPUTS = ErrorKind(
    "models.external_protected_inputs",
    ConfigurationError,
    "{path} takes protected attributes as inputs: {names}",
    "bring a model without them, or set `train.protected_at_decision`; the policy must allow it too",
)
SCORES_OUT_OF_RANGE = ErrorKind(
    "models.external_scores_out_of_range",
    ConfigurationError,
    "{path} gives {rows:score|scores} outside 0 to 1, so what it gives are not probabilities",
    "bring probabilities of the favourable outcome: a margin or a number of points is not one",
)

# --- A table of answers

ANSWERS_MISSING = ErrorKind(
    "models.external_answers_missing",
    DataError,
    "{path} has no answer for {missing:row|rows} of the {rows} that choose or judge",
    "bring an answer for every row, or leave these rows out in `source.select`",
)
ANSWERS_UNKNOWN = ErrorKind(
    "models.external_answers_unknown",
    DataError,
    "{path} holds {unknown:key|keys} without a row in the table, in {lines:line|lines}",
    "check that `key` names the same rows as `data.row_key`, or take these lines out",
)
NOT_NUMBERS = ErrorKind(
    "models.external_not_numbers",
    DataError,
    "`{column}` in {path} holds {kind} values, not numbers",
    _ASK,
)
SCORES_MISSING = ErrorKind(
    "models.external_scores_missing",
    DataError,
    "`{column}` in {path} is missing or not a number in {rows:line|lines}",
    _ASK,
)
SCORES_OUTSIDE = ErrorKind(
    "models.external_scores_outside",
    DataError,
    "`{column}` in {path} is outside 0 to 1 in {rows:line|lines}",
    "bring probabilities of the favourable outcome: points must be converted by their maker",
)
DECISIONS_MISSING = ErrorKind(
    "models.external_decisions_missing",
    DataError,
    "`{column}` in {path} is missing in {rows:line|lines}",
    _ASK,
)
DECISIONS_UNCLEAR = ErrorKind(
    "models.external_decisions_unclear",
    DataError,
    "`{column}` in {path} is not two decisions, one of them {favourable}: it holds {values}",
    "say in `train.external.favourable` which value is the favourable decision",
)
ROWS_WITHOUT_SCORE = ErrorKind(
    "models.external_rows_without_score",
    DataError,
    "the table of answers has none for {rows:row|rows}",
    "bring a table with an answer for every row",
)

# --- The threshold

THRESHOLD_NEEDS_TUNE_ROWS = ErrorKind(
    "models.external_threshold_needs_tune_rows",
    ConfigurationError,
    "no threshold is declared for {path}, and there are no tune rows to choose one on",
    "set `train.threshold` to the maker's: {{fixed: 0.5}}; or give `split.tune` some rows",
)
THRESHOLD_UNDECLARED = ErrorKind(
    "models.external_threshold_undeclared",
    ConfigurationError,
    "{path} holds scores and decisions, and no threshold is declared to compare them with",
    "set `train.threshold` to the maker's: {{fixed: 0.5}}; these decisions fit {fitting}",
)
THRESHOLD_CONTRADICTED = ErrorKind(
    "models.external_threshold_contradicted",
    DataError,
    "the threshold {threshold} decides {rows:row|rows} of {path} unlike the decisions in it, which fit "
    "{fitting}",
    "correct `train.threshold.fixed`, or ask the maker which of the two is in use",
)
THRESHOLD_NOT_OF_THE_FILE = ErrorKind(
    "models.external_threshold_not_of_the_file",
    ConfigurationError,
    "{path} decides from the score {threshold} on, and `train.threshold` says {declared}",
    "leave `train.threshold` out, or bring the model with the threshold that is meant",
)
THRESHOLD_WITHOUT_SCORES = ErrorKind(
    "models.external_threshold_without_scores",
    ConfigurationError,
    "{path} holds decisions and no scores, so a threshold says nothing",
    "leave `train.threshold` out, or name the column of the scores in `train.external.score`",
)

# --- A folder that runs in a sandbox

SANDBOX_UNAVAILABLE = ErrorKind(
    "models.external_sandbox_unavailable",
    ConfigurationError,
    "{path} would run code, and this system offers no sandbox for it: {reason}",
    "score the rows where the model was made, and bring the table",
)
SANDBOX_FAILED = ErrorKind(
    "models.external_sandbox_failed",
    ConfigurationError,
    "{path} did not score the rows in its sandbox: {reason}",
    "score the rows where the model was made, and bring the table",
)
SANDBOX_ANSWER = ErrorKind(
    "models.external_sandbox_answer",
    IntegrityError,
    "{path} answered with something other than one number for each row: {reason}",
    'save the model with `pyfunc_predict_fn="predict_proba"`, or bring a table of its scores',
)
