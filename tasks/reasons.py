"""Stage: the profiles that reasons for denials are measured against, under the terms of the policy.

It reads tune rows, never test rows, and the background that explanations compare with. It judges nothing:
where denials cannot be reasoned, the document says why, and `release` refuses what the policy does not allow.
"""

from __future__ import annotations

import logging
import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from clearance import errors, files, params, paths, stage
from clearance.data.tables import prepared
from clearance.documents.evidence_document import unless_blocked
from clearance.documents.measurement import Measurement
from clearance.documents.reasons_document import ProfileMeans, ReasonsDocument, ReasonsPolicy
from clearance.documents.training_document import TrainingDocument
from clearance.models import encoding, model_file, row_plan, scoring
from clearance.policy import policy_file
from clearance.policy.reason_terms import ReasonTerms
from clearance.policy.schema import Policy
from clearance.reasons import contributions, selection, texts

Matrix = npt.NDArray[np.float64]

logger = logging.getLogger(__name__)


MOST_ROWS = 2_000
"""The largest number of rows of a profile: a mean of more is no different, and trees cost 0.2 ms a row."""


def profile(
    values: Matrix, features: tuple[str, ...], minimum_rows: int, applicants: int | None = None
) -> ProfileMeans:
    """The mean contribution of each feature over these rows (n, features); none of fewer than asked for.

    `applicants` is how many rows these were drawn from; None: they are all.
    """
    means = None
    if len(values) >= minimum_rows:
        means = dict(zip(features, values.mean(axis=0).tolist(), strict=True))
    drawn_from = None if applicants in (None, len(values)) else applicants
    return ProfileMeans(rows=len(values), drawn_from=drawn_from, means=means)


def drawn(chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """The places of the chosen rows: all, or `MOST_ROWS` at even distances. Rows stand in no order."""
    places = np.flatnonzero(chosen)
    if len(places) <= MOST_ROWS:
        return places
    return places[np.linspace(0, len(places) - 1, MOST_ROWS).astype(np.int64)]


def just_above(scores: Matrix, favourable: npt.NDArray[np.bool_], band: float) -> npt.NDArray[np.bool_]:
    """Which rows are among the `band` share of the favourable ones with the lowest scores; ties are in."""
    passed = np.sort(scores[favourable])
    count = math.ceil(band * len(passed))
    return favourable & (scores <= passed[count - 1]) if count else np.zeros(len(scores), dtype=np.bool_)


def measure(
    plan: row_plan.RowPlan,
    explainer: contributions.Explainer,
    encoded: Matrix,
    threshold: float,
    terms: ReasonTerms,
) -> dict[str, Any]:
    """Both profiles over the encoded tune rows, and how often the two methods state different features.

    Raises IntegrityError when contributions do not add up to the model's output.
    """
    output = plan.output(encoded)
    scores = plan.probability(output)
    favourable = scoring.decide(scores, threshold)
    groups = {
        "near_cutoff": just_above(scores, favourable, terms.band),
        "all_applicants": np.ones(len(scores), dtype=np.bool_),
    }
    values_of = partial(_contributions, explainer, encoded, output)
    profiles = {
        name: profile(values_of(drawn(group)), plan.features, terms.minimum_rows, int(group.sum()))
        for name, group in groups.items()
    }
    denied = drawn(~favourable)
    differ = None
    if all(means.means is not None for means in profiles.values()) and not favourable.all():
        one, other = (np.array(list((means.means or {}).values())) for means in profiles.values())
        count = selection.different_sets(values_of(denied), one, other, terms.at_most)
        differ = count / len(denied)
    own = profiles[terms.method]
    insufficient = (
        None
        if own.means is not None
        else f"only {own.rows} tune rows are in the profile of `{terms.method}`, and the policy asks for "
        f"{terms.minimum_rows}"
    )
    return {
        **profiles,
        "denials": int((~favourable).sum()),
        "methods_differ": differ,
        "insufficient": insufficient,
        "measurements": {"profile_rows": Measurement(value=own.rows, support={"tune": len(scores)})},
    }


def _contributions(
    explainer: contributions.Explainer, encoded: Matrix, output: Matrix, places: npt.NDArray[np.int64]
) -> Matrix:
    return explainer.contributions(encoded[places], output[places])


def terms_of(policy: Policy, terms: ReasonTerms) -> ReasonsPolicy:
    """The policy's terms as the document holds them."""
    return ReasonsPolicy(
        id=policy.id,
        version=policy.version,
        source=terms.source,
        method=terms.method,
        band=terms.band,
        minimum_rows=terms.minimum_rows,
        at_most=terms.at_most,
        near_share=terms.near_share,
        key_factors=terms.key_factors,
        required=terms.required,
    )


def explain(
    pipeline: Any, training: TrainingDocument, background: pd.DataFrame, protected: list[str]
) -> tuple[row_plan.RowPlan, contributions.Explainer, Matrix] | str:
    """The plan, its explainer and the encoded background; or why denials cannot be reasoned."""
    if training.external is not None:
        return "the model was made elsewhere, and only models trained here are explained exactly"
    if taken := [name for name in pipeline.feature_names_in_ if name in protected]:
        return f"the model takes in {', '.join(taken)}, which is protected and can never be a reason"
    try:
        plan = row_plan.compile_plan(pipeline, scoring.model_kinds(pipeline))
    except errors.ConfigurationError as error:
        return error.fault
    encoded = np.asarray(encode(pipeline, background), dtype="float64")
    explainer = contributions.explainer_of(plan, encoded)
    return explainer if isinstance(explainer, str) else (plan, explainer, encoded)


def encode(pipeline: Any, features: pd.DataFrame) -> Matrix:
    """The rows as the pipeline's own encoder gives them."""
    if not len(features):
        return np.zeros((0, len(encoding.origins(pipeline[0]))))
    typed = scoring.inputs(features, scoring.model_kinds(pipeline))
    return np.ascontiguousarray(pipeline[0].transform(typed), dtype="float64")


def report(
    pipeline: Any,
    training: TrainingDocument,
    policy: Policy,
    settings: params.Params,
    tune: prepared.Prepared,
) -> ReasonsDocument:
    """The document of a trained model, with what it needs from `models/background` and `reasons.yaml`."""
    terms = policy.reasons_on(settings.policy.as_of)
    features = tuple(map(str, pipeline.feature_names_in_))
    known: dict[str, Any] = {"model_sha256": training.model.sha256, "threshold": training.threshold}
    if terms is None:
        return ReasonsDocument(
            **known, features=features, not_evaluated="the policy does not say how denials are reasoned"
        )
    known |= {"features": features, "policy": terms_of(policy, terms)}
    described = files.read_json(paths.BACKGROUND / "background.json")
    background = pd.read_parquet(paths.BACKGROUND / "background.parquet")
    protected = texts.protected_names(settings.data, policy.attributes)
    explained = explain(pipeline, training, background, protected)
    if isinstance(explained, str):
        return ReasonsDocument(**known, not_evaluated=explained)
    plan, explainer, encoded = explained
    written = texts.load()
    return ReasonsDocument.create(
        **known,
        text_problems=tuple(texts.problems(written, features, protected)),
        texts={name: written.texts[name] for name in features if name in written.texts},
        inquiries=tuple(name for name in written.inquiries if name in features),
        explainer=explainer.method,
        space=explainer.space,
        background=contributions.record(plan, encoded, described["split"], described["sha256"]),
        **measure(plan, explainer, encode(pipeline, tune.inputs(features)), training.threshold, terms),
    )


def main() -> None:
    """Write `reports/reasons.json`."""
    settings = params.load(paths.PARAMS)
    training = unless_blocked(TrainingDocument.read(Path()), paths.REASONS)
    if training is None:
        return
    policy = policy_file.load(Path(settings.policy.file))
    pipeline = model_file.load_scorer(paths.MODEL, training.model.sha256, training.threshold)
    document = report(pipeline, training, policy, settings, prepared.read(Path(), "tune"))
    document.write(Path())
    if document.obstacle is not None:
        logger.warning("denials cannot be reasoned: %s", document.obstacle)
    elif document.profile is not None:
        logger.info("profile of %d tune rows", document.profile.rows)


if __name__ == "__main__":
    stage.run(main)
