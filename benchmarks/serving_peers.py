"""The servers that people use today, over the same fitted pipeline, in an environment of their own.

`benchmarks.serving` runs it. `python serving_peers.py flask MODEL ROWS PORT`: Flask on waitress with a SHAP
explainer built once, answering score and contributions. `python serving_peers.py mlserver MODEL FOLDER
PORT` writes the settings of an MLServer that answers the score alone. It imports nothing of Clearance. MODEL
is a joblib of the pipeline, ROWS a JSON list of rows.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def flask_server(model: str, rows: str, port: int) -> None:
    import flask
    import joblib
    import numpy as np
    import pandas as pd
    import shap
    import waitress

    pipeline = joblib.load(model)
    background = pd.DataFrame(json.loads(Path(rows).read_text()), dtype=object).head(100)
    background = background.astype("float64")
    encode, estimator = pipeline[:-1], pipeline[-1]
    encoded = np.asarray(encode.transform(background), dtype="float64")
    if hasattr(estimator, "coef_"):
        explainer: Any = shap.LinearExplainer(estimator, encoded)
        unchecked: dict[str, bool] = {}
    else:  # its values do not add up for histogram gradient boosting (shap issue 5116)
        unchecked = {"check_additivity": False}
        explainer = shap.TreeExplainer(estimator, encoded, feature_perturbation="interventional")
    app = flask.Flask("peer")

    @app.post("/predict")
    def predict() -> Any:
        frame = pd.DataFrame([flask.request.get_json()["features"]]).astype("float64")
        matrix = np.asarray(encode.transform(frame), dtype="float64")
        score = float(estimator.predict_proba(matrix)[0, 1])
        values = np.asarray(explainer.shap_values(matrix, **unchecked))[0]
        return flask.jsonify(score=score, contributions=values.tolist())

    waitress.serve(app, host="127.0.0.1", port=port, threads=4)


MLSERVER_MODEL = """
import joblib
import numpy as np
import pandas as pd
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse


class Pipeline(MLModel):
    async def load(self) -> bool:
        self.pipeline = joblib.load(self.settings.parameters.uri)
        return True

    async def predict(self, payload):
        columns = {tensor.name: np.asarray(tensor.data, dtype="float64") for tensor in payload.inputs}
        frame = pd.DataFrame(columns)
        scores = self.pipeline.predict_proba(frame[self.pipeline.feature_names_in_])[:, 1]
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("score", scores)])
"""


def mlserver_settings(model: str, folder: str, port: int) -> None:
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    (place / "peer_model.py").write_text(MLSERVER_MODEL)
    parameters = {"uri": model}
    settings = {"name": "peer", "implementation": "peer_model.Pipeline", "parameters": parameters}
    (place / "model-settings.json").write_text(json.dumps(settings))
    ports = {"http_port": port, "grpc_port": port + 1, "metrics_port": port + 2}
    server = {"host": "127.0.0.1", "parallel_workers": 0, "debug": False} | ports
    (place / "settings.json").write_text(json.dumps(server))


if __name__ == "__main__":
    kind, model_file, place, number = sys.argv[1:]
    (flask_server if kind == "flask" else mlserver_settings)(model_file, place, int(number))
