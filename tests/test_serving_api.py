"""The server's OpenAPI document and the server say the same: schemathesis sends what it allows and forbids.

A slice in the suite; in the nightly run more than 20,000 requests.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from clearance.serving import access
from clearance.serving.access import AccessSettings, KeyHolder, Role
from tests.support import serving
from tests.support.nightly import NIGHTLY
from tests.support.serving import Running

pytestmark = pytest.mark.slow

KEY = "clk_every-role"
CONFIG = Path(__file__).with_name("support") / "schemathesis.toml"
PHASES, EXAMPLES = ("examples,coverage,fuzzing", "2000") if NIGHTLY else ("examples,coverage", "10")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    holder = KeyHolder(name="all", key_sha256=access.digest(KEY), roles=tuple(Role), rows_a_minute=10**9)
    champion = serving.fixed(serving.champion_model)
    settings = AccessSettings(callers=(holder,))
    with serving.running(tmp_path_factory.mktemp("api"), champion, settings) as running:
        yield running


def test_every_check_of_schemathesis_holds(served: Running, tmp_path: Path) -> None:
    command = [Path(sys.executable).with_name("schemathesis"), "--config-file", CONFIG, "run"]
    options = [
        "--checks",
        "all",
        "--phases",
        PHASES,
        "-n",
        EXAMPLES,
        "--generation-deterministic",
        "--no-color",
    ]
    options += ["-H", f"Authorization: Bearer {KEY}"]
    result = subprocess.run(
        [*command, f"{served.address}/openapi.json", *options],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-6000:]
    generated = result.stdout.split("Test cases:\n")[1].split()[0]
    assert int(generated.replace(",", "")) > (20_000 if NIGHTLY else 300)


def test_the_document_names_the_features_of_the_model_that_decides(served: Running) -> None:
    document = httpx.get(f"{served.address}/openapi.json").json()
    schema = document["components"]["schemas"]["PredictRequest"]
    row = schema["properties"]["rows"]["items"]["properties"]["features"]
    assert set(row["properties"]) == {"amount", "purpose", "ratio"}
    example = schema["examples"][0]
    with httpx.Client(headers={"authorization": f"Bearer {KEY}"}) as client:
        assert client.post(f"{served.address}/v1/predict", json=example).status_code == 200
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert all(operation["summary"] and operation["responses"] for operation in operations)
    assert "detail" not in json.dumps(document)
