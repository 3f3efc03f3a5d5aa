"""An OpenML data set is kept the same way; a loopback server imitates the few answers that takes."""

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from clearance.data.sources import openml
from clearance.errors import SourceError, UnavailableError
from tasks import ingest, snapshot
from tests.support import loans

ARFF = """@relation loans
@attribute amount numeric
@attribute sex {f,m}
@attribute name string
@data
2.5,f,'b c'
1.5,?,a
"""

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOANS_URL", "sqlite:///loans.db")
    loans.project()


@pytest.fixture
def openml_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[http.server.ThreadingHTTPServer]:
    """The few answers of OpenML that a download needs, on loopback."""
    from sklearn.datasets import _openml

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), OpenML)
    base = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(OpenML, "base", base)
    for name, path in {
        "_DATA_INFO": "info",
        "_DATA_FEATURES": "features",
        "_DATA_QUALITIES": "qualities",
    }.items():
        monkeypatch.setattr(_openml, name, f"{base}/{path}/{{}}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class OpenML(http.server.BaseHTTPRequestHandler):
    base = ""

    def do_GET(self) -> None:
        kinds = {"amount": "numeric", "sex": "nominal", "name": "string"}
        no = {"is_target": "false", "is_ignore": "false", "is_row_identifier": "false"}
        answers: dict[str, Any] = {
            "/info/31": {
                "data_set_description": {
                    "id": "31",
                    "name": "loans",
                    "version": "2",
                    "format": "ARFF",
                    "status": "active",
                    "licence": "CC0",
                    "description": "d",
                    "url": f"{self.base}/loans.arff",
                    "upload_date": "2020-01-01",
                    "md5_checksum": hashlib.md5(ARFF.encode()).hexdigest(),  # noqa: S324 - OpenML's own
                }
            },
            "/features/31": {
                "data_features": {
                    "feature": [
                        {"index": str(i), "name": name, "data_type": kind, "number_of_missing_values": "0"}
                        | no
                        for i, (name, kind) in enumerate(kinds.items())
                    ]
                }
            },
            "/qualities/31": {"data_qualities": {"quality": [{"name": "NumberOfInstances", "value": "2"}]}},
        }
        if self.path == "/loans.arff":
            self._answer(200, ARFF)
        elif self.path in answers:
            self._answer(200, json.dumps(answers[self.path]))
        else:
            self._answer(412, '{"error": {"code": "111", "message": "Unknown dataset"}}')

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.mark.usefixtures("openml_server")
def test_openml_is_kept_the_same_way() -> None:
    loans.configure(kind="openml", path=str(loans.COPY), openml_id=31)
    snapshot.main()
    origin = loans.origin()
    assert (origin["kind"], origin["openml_id"], origin["name"], origin["version"]) == (
        "openml",
        31,
        "loans",
        "2",
    )
    assert [row["amount"] for row in loans.table()] == [1.5, 2.5]
    ingest.main()
    frame = pd.read_parquet("data/raw.parquet")
    assert [str(kind) for kind in frame.dtypes] == ["float64", "str", "str"]
    assert frame["sex"].isna().tolist() == [True, False]
    assert any(Path(".clearance/snapshot/openml").rglob("*.gz"))  # downloads stay inside the project
    first = loans.written_copy()
    snapshot.main()
    assert loans.written_copy() == first


@pytest.mark.usefixtures("openml_server")
def test_an_unknown_openml_id_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as excinfo:
        openml.fetch(99, tmp_path / "home")
    assert (excinfo.value.code, excinfo.value.values["openml_id"]) == ("data.openml_unreadable", 99)


@pytest.mark.filterwarnings("ignore:A network error occurred")
def test_openml_that_does_not_answer_is_worth_another_try(
    openml_server: http.server.ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sklearn.datasets import _openml

    monkeypatch.setattr(_openml, "_DATA_INFO", f"http://127.0.0.1:{loans.unused_port()}/{{}}")
    monkeypatch.setattr(_openml.time, "sleep", lambda _: None)
    with pytest.raises(UnavailableError) as excinfo:
        openml.fetch(31, tmp_path / "home")
    assert excinfo.value.code == "data.openml_unreachable"
