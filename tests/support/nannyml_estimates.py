"""NannyML's estimates of performance, printed as JSON: run by a Python that has it, on JSON from stdin."""

import json
import sys
import warnings

warnings.filterwarnings("ignore")

import nannyml  # type: ignore[import-not-found]  # noqa: E402
import pandas as pd  # noqa: E402

given = json.load(sys.stdin)
reference = pd.DataFrame({"score": given["scores"], "label": given["labels"]})
live = pd.DataFrame({"score": given["live"]})
for table in (reference, live):
    table["decision"] = (table["score"] >= given["threshold"]).astype(int)
estimator = nannyml.CBPE(
    y_pred_proba="score",
    y_pred="decision",
    y_true="label",
    metrics=["roc_auc", "accuracy"],
    problem_type="classification_binary",
    chunk_number=1,
)
estimator.fit(reference)
result = estimator.estimate(live).filter(period="analysis").to_df()
print(json.dumps({name: float(result[name, "value"].iloc[0]) for name in ("roc_auc", "accuracy")}))  # noqa: T201
