"""The faults of this room: settings that do not fit each other, the policy, the lock or the table."""

from __future__ import annotations

from clearance.errors import ConfigurationError, ErrorKind

SEVERAL = ErrorKind(
    "preflight.several",
    ConfigurationError,
    "{number} things must be corrected before a run can begin\n{problems}",
    "correct them, then `clearance check` shows whether anything is left",
)

# --- params.yaml

SECTION_MISSING = ErrorKind(
    "preflight.section_missing",
    ConfigurationError,
    "params.yaml has no section `{section}`, which dvc.yaml tracks",
    "add the line `{section}: {{}}`",
)
OVERRIDES_BY_HAND = ErrorKind(
    "preflight.overrides_by_hand",
    ConfigurationError,
    "`overrides` in params.yaml is not empty: {keys}",
    "write `overrides: {{}}` and set the keys themselves, or use `clearance run --set KEY=VALUE`",
)
FAVOURABLE_NOT_DECLARED = ErrorKind(
    "preflight.favourable_not_declared",
    ConfigurationError,
    "the favourable value `{favourable}` is not among `data.columns.{target}.values`: {values}",
    "correct `data.favourable`, or the list",
)
REFERENCE_NOT_PROTECTED = ErrorKind(
    "preflight.reference_not_protected",
    ConfigurationError,
    "`evaluate.reference` names `{attribute}`, which `data.protected` does not list{suggestion}",
    "correct the name, or take it out",
)
REFERENCE_NOT_DECLARED = ErrorKind(
    "preflight.reference_not_declared",
    ConfigurationError,
    "`evaluate.reference.{attribute}` is `{group}`, which `data.columns.{attribute}.values` does not "
    "list{suggestion}",
    "correct the group, or the list",
)

# --- Estimators

UNKNOWN_ESTIMATOR = ErrorKind(
    "preflight.unknown_estimator",
    ConfigurationError,
    "there is no estimator `{name}`{suggestion}",
    "`train.estimator` is one of {built_in}, or the import path of an installed classifier",
)
ARGUMENT_VALUE = ErrorKind(
    "preflight.argument_value",
    ConfigurationError,
    "`{key}.{argument}`: {reason}",
    "correct the value",
)
NOT_LOCKED = ErrorKind(
    "preflight.not_locked",
    ConfigurationError,
    "{path} comes from the package {package}, which requirements.lock does not list",
    "add {package} to `dependencies` in pyproject.toml, then run `make lock` and `make setup`",
)
NO_PROBABILITIES = ErrorKind(
    "preflight.no_probabilities",
    ConfigurationError,
    "{path} gives no probabilities: it has no `predict_proba`",
    "choose a classifier that has: {built_in}, for example",
)
NO_ROW_WEIGHTS = ErrorKind(
    "preflight.no_row_weights",
    ConfigurationError,
    "{path} takes no row weights, which the mitigation {method} needs",
    "choose another mitigation, or an estimator whose `fit` takes `sample_weight`",
)
PROTECTED_NOT_ALLOWED = ErrorKind(
    "preflight.protected_not_allowed",
    ConfigurationError,
    "the mitigation {method} uses protected attributes in every decision, and "
    "`train.protected_at_decision` is not set",
    "choose another mitigation, or set `train.protected_at_decision: true`; the policy must allow it too",
)
UNKNOWN_SCORING = ErrorKind(
    "preflight.unknown_scoring",
    ConfigurationError,
    "there is no scoring `{name}`{suggestion}",
    "`train.search.scoring` is a name of scikit-learn, such as roc_auc",
)

# --- The policy

UNKNOWN_METRIC = ErrorKind(
    "preflight.unknown_metric",
    ConfigurationError,
    "{path}: rule {rule} reads `{metric}`, which nothing measures{suggestion}",
    "docs/fairness.md lists every metric",
)
ATTRIBUTE_NEEDED = ErrorKind(
    "preflight.attribute_needed",
    ConfigurationError,
    "{path}: rule {rule} reads `{metric}`, which is measured by attribute, and names none",
    "add `attributes: [{attributes}]`",
)
ATTRIBUTE_NOT_DECLARED = ErrorKind(
    "preflight.attribute_not_declared",
    ConfigurationError,
    "{path} demands an assessment of `{attribute}`, which `data.protected` does not list{suggestion}; the "
    "verdict would be Not evaluated",
    "add it to `data.protected` in params.yaml, or have the policy name your attributes",
)
INTERSECTION_NOT_MEASURED = ErrorKind(
    "preflight.intersection_not_measured",
    ConfigurationError,
    "{path}: rule {rule} reads `{attribute}`, and `evaluate.intersections` is {measured}",
    "set `evaluate.intersections: {needed}` in params.yaml",
)
POLICY_OF_ANOTHER_MODEL = ErrorKind(
    "preflight.policy_of_another_model",
    ConfigurationError,
    "{path} is a policy for another model: it is about `{policy_target}` by {policy_attributes}, and "
    "params.yaml about `{target}` by {attributes}; the verdict would be Not evaluated",
    "name the policy of this model in `policy.file`, or copy this one and write in the copy and its rules "
    "`attributes: [{attributes}]` and `favourable: {{target: {target}, value: {written}}}`",
)
FAVOURABLE_DIFFERS = ErrorKind(
    "preflight.favourable_differs",
    ConfigurationError,
    "the favourable outcome is `{policy_target}` = {policy_value!r} in {path}, and "
    "`{target}` = {value!r} in params.yaml; the verdict would be Not evaluated",
    "write the same in both: `favourable: {{target: {target}, value: {written}}}` in the policy, or other "
    "`data.target` and `data.favourable`",
)
AS_OF_IN_FUTURE = ErrorKind(
    "preflight.as_of_in_future",
    ConfigurationError,
    "`policy.as_of` is {as_of}, and today is {today}: rules that are in force now may not be then",
    'set `policy.as_of: "{today}"`; `clearance judge --as-of {as_of}` shows the verdict of that day',
)
RULES_NOT_IN_FORCE = ErrorKind(
    "preflight.rules_not_in_force",
    ConfigurationError,
    "{path}: not in force on {as_of}, so they decide nothing: {rules}",
    "correct `policy.as_of` in params.yaml, or `valid_from` and `valid_until` in the policy",
)
NO_RULE_IN_FORCE = ErrorKind(
    "preflight.no_rule_in_force",
    ConfigurationError,
    "{path} has no blocking rule in force on {as_of}; the verdict would be Not evaluated",
    "correct `policy.as_of` in params.yaml, or `valid_from` and `valid_until` in the policy",
)
CONFIDENCE_TOO_LOW = ErrorKind(
    "preflight.confidence_too_low",
    ConfigurationError,
    "{path}: rule {rule} asks for intervals of {needed:g}, and `evaluate.confidence` is {measured:g}; its "
    "outcome would be Not evaluated",
    "set `evaluate.confidence: {needed:g}`",
)
NOT_AUTHORISED = ErrorKind(
    "preflight.not_authorised",
    ConfigurationError,
    "no policy is authorised for {name}: its models are judged and recorded, and never promoted",
    "have this line reviewed and committed under `models:` in {path}: {line}",
)
NO_AUTHORISED_LIST = ErrorKind(
    "preflight.no_authorised_list",
    ConfigurationError,
    "{path} is missing, so no policy is authorised for {name}: its models are never promoted",
    "restore it, or have these lines reviewed and committed in it:\n  models:\n    {line}",
)
OTHER_POLICY_AUTHORISED = ErrorKind(
    "preflight.other_policy_authorised",
    ConfigurationError,
    "{path} authorises {authorised} for {name}, and params.yaml judges by {judging}: no model is promoted",
    "set `policy.file: {authorised}`, or have the line under `models:` changed: {line}",
)
TIER_UNKNOWN = ErrorKind(
    "preflight.tier_unknown",
    ConfigurationError,
    "{path} puts {name} into the tier `{tier}`, which {policy} does not list: no model is promoted",
    "name one of its tiers: {tiers}",
)
CONTRACT_NOT_PINNED = ErrorKind(
    "preflight.contract_not_pinned",
    ConfigurationError,
    "{policy} requires a pinned data contract, and {path} does not pin this one: no model is promoted",
    "have `contracts: [{digest}]` added for {name} once it is settled; `clearance contract` shows it",
)
DEMO_PEOPLE = ErrorKind(
    "preflight.demo_people",
    ConfigurationError,
    "{policy} does not accept the demo's keys, and policies/roles.yaml still lists the demo's people: no "
    "model is promoted",
    "docs/governance.md shows how to list your own people and keys; until then the verdict is for you alone",
)

# --- The table

COLUMN_MISSING = ErrorKind(
    "preflight.column_missing",
    ConfigurationError,
    "`{key}` names `{column}`, which the table does not have{suggestion}",
    "correct the name in params.yaml, or derive the column in `source.select`; the table has {columns}",
)
COLUMN_IN_POLICY_MISSING = ErrorKind(
    "preflight.column_in_policy_missing",
    ConfigurationError,
    "{path} names `{column}` under `{key}`, which the table does not have{suggestion}",
    "correct the name in the policy; the table has {columns}",
)
FILES_NOT_READ = ErrorKind(
    "preflight.files_not_read",
    ConfigurationError,
    "not read in {folder}, because of their names: {files}",
    "rename or convert those that belong to the table; the endings that are read are {suffixes}",
)
TOO_FEW_ROWS = ErrorKind(
    "preflight.too_few_rows",
    ConfigurationError,
    "the table has {rows:row|rows}, and `data.rows_min` is {rows_min}: validation refuses it",
    "add rows, or lower `data.rows_min` deliberately",
)
WEIGHT_NOT_A_NUMBER = ErrorKind(
    "preflight.weight_not_a_number",
    ConfigurationError,
    "the weight `{column}` is not a column of numbers",
    "name another column in `data.weight`, or correct its values in `source.select`",
)
ROW_KEY_REPEATED = ErrorKind(
    "preflight.row_key_repeated",
    ConfigurationError,
    "the row key `{column}` has {different:different value|different values} in {rows:row|rows}",
    "name a unique column in `data.row_key`, or drop the repeated and empty ones in `source.select`",
)
PROTECTED_EMPTY = ErrorKind(
    "preflight.protected_empty",
    ConfigurationError,
    "the protected column `{column}` is empty in every row, so no group can be compared",
    "name another column in `data.protected`, or correct the table",
)
GROUP_NOT_LISTED = ErrorKind(
    "preflight.group_not_listed",
    ConfigurationError,
    "the table has groups that `data.columns.{column}.values` does not list: {groups}",
    "add them, or correct the values in `source.select`",
)
TIME_NOT_DATES = ErrorKind(
    "preflight.time_not_dates",
    ConfigurationError,
    "`split.time.column` names `{column}`, which holds {kind} values, not days or times",
    "name a column of days, or convert it in `source.select`, such as strptime({column}, '%d.%m.%Y')",
)
ALL_ON_ONE_SIDE = ErrorKind(
    "preflight.all_on_one_side",
    ConfigurationError,
    "every row is {side} `split.time.test_from`, {test_from}, by `{column}`: one side has no rows",
    "choose a day between the first and the last in the table",
)
NO_FEATURES = ErrorKind(
    "preflight.no_features",
    ConfigurationError,
    "no column is left as a feature: each has another role or is listed in `features.all_but`",
    "leave some out of these lists",
)
TIME_AS_FEATURE = ErrorKind(
    "preflight.time_as_feature",
    ConfigurationError,
    "the feature `{column}` holds times, which no estimator takes",
    "derive a number in `source.select`, such as date_diff('day', {column}, …), or leave it out",
)
TARGET_NEVER_FAVOURABLE = ErrorKind(
    "preflight.target_never_favourable",
    ConfigurationError,
    "the target `{column}` is never `{favourable}`, the favourable value{suggestion}",
    "set `data.favourable` to the value that is good for the person",
)
TARGET_NOT_TWO_VALUES = ErrorKind(
    "preflight.target_not_two_values",
    ConfigurationError,
    "the target `{column}` has {number} values, not two",
    "derive one in `source.select`, such as CASE WHEN {column} … THEN 'yes' ELSE 'no' END",
)
TARGET_OF_ONE_CLASS = ErrorKind(
    "preflight.target_of_one_class",
    ConfigurationError,
    "the target `{column}` is the same in every row, so nothing can be learned; its only value: {values}",
    "keep rows of both outcomes in the table, or name another column in `data.target`",
)
EXTERNAL_NOT_EVALUATED = ErrorKind(
    "preflight.external_not_evaluated",
    ConfigurationError,
    "{policy} blocks on what cannot be known of {file}, so its model cannot pass: {rules}",
    "{remedy}",
)
REASON_TEXT = ErrorKind(
    "preflight.reason_text",
    ConfigurationError,
    "{path}: {problem}",
    "write what a person reads when the feature is a reason for a denial; until then no version is promoted",
)
ESTIMATOR_WITHOUT_REASONS = ErrorKind(
    "preflight.estimator_without_reasons",
    ConfigurationError,
    "{path} requires reasons for denials, and none can be given for {estimator}",
    "choose an estimator of scikit-learn that docs/reasons.md lists, or agree with compliance on "
    "`reasons: {{required: false}}`; until then no such version is promoted",
)
REASON_OF_NO_FEATURE = ErrorKind(
    "preflight.reason_of_no_feature",
    ConfigurationError,
    "{path} names `{name}`, which is not a feature{suggestion}",
    "correct the name, or remove it",
)
CARD_OF_ANOTHER_MODEL = ErrorKind(
    "preflight.card_of_another_model",
    ConfigurationError,
    "{path} is about the model {stated}, and this one is {name}: its sentences count for nothing",
    "write the sentences for this model, and its name as `model`",
)
CARD_SECTION_EMPTY = ErrorKind(
    "preflight.card_section_empty",
    ConfigurationError,
    "{path} says nothing in sections that the policy requires: {sections}",
    "write a sentence there, as docs/model-card.md says; until then no version is promoted",
)
CARD_SENTENCE_AHEAD = ErrorKind(
    "preflight.card_sentence_ahead",
    ConfigurationError,
    "what {by} stated under `{section}` in {path} is dated {on}, which is still to come",
    "write the day on which it was written",
)
CARD_SENTENCE_LONG = ErrorKind(
    "preflight.card_sentence_long",
    ConfigurationError,
    "what {by} stated under `{section}` in {path} has {length} characters: few will read it",
    "divide it into sentences of at most {most} characters",
)
CARD_SENTENCE_OUTDATED = ErrorKind(
    "preflight.card_sentence_outdated",
    ConfigurationError,
    "what {by} stated under `{section}` in {path} on {on} is older than {days:day|days}",
    "have somebody confirm it, with a new day; until then no version is promoted",
)
