"""Nothing phones home by default, and every tool keeps its state inside the project."""

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from clearance import cli, environment
from clearance.errors import ExitCode, UnavailableError
from flows import prefect_api
from tests.support import codes


def test_telemetry_is_off_and_state_stays_in_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = environment.TOOL_DEFAULTS | environment.tool_locations(tmp_path)
    for name in defaults:
        monkeypatch.delenv(name, raising=False)
    environment.apply(tmp_path)
    import os

    assert {name: os.environ[name] for name in defaults} == defaults
    assert all(str(tmp_path) in value for value in environment.tool_locations(tmp_path).values())
    for name in ("DO_NOT_TRACK", "DVC_NO_ANALYTICS", "MLFLOW_DISABLE_TELEMETRY"):
        assert os.environ[name] in {"1", "true"}


def test_what_the_user_exported_stands_and_empty_counts_as_unset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example")
    monkeypatch.setenv("PREFECT_HOME", "")
    environment.apply(tmp_path)
    assert os.environ["MLFLOW_TRACKING_URI"] == "https://mlflow.example"
    assert os.environ["PREFECT_HOME"] == str(tmp_path / ".prefect")


def test_the_project_is_found_from_a_folder_inside_it(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text("stages: {}")
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert environment.project_root(tmp_path / "a" / "b") == tmp_path.resolve()


def test_outside_a_project_the_error_says_so(tmp_path: Path) -> None:
    with codes.raises("environment.not_a_project", folder=tmp_path.resolve()):
        environment.project_root(tmp_path)


def test_a_path_that_is_too_long_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path.joinpath(*["folder" * 20] * 4)
    deep.mkdir(parents=True)
    (deep / "dvc.yaml").touch()
    monkeypatch.chdir(deep)
    with codes.raises("environment.path_too_long", limit=environment.LONGEST_PATH):
        environment.project_root()
    result = CliRunner().invoke(cli.main, ["policy", "check", "x" * 300])
    assert (result.exit_code, result.output.count("error: ")) == (ExitCode.ERROR, 1)
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("given", "reached"),
    [
        ({}, None),
        ({"NO_PROXY": "example.com"}, None),
        ({"HTTP_PROXY": "http://proxy:8080"}, "127.0.0.1,localhost,::1"),
        ({"https_proxy": "http://proxy:8080", "no_proxy": "a.b, localhost"}, "a.b,localhost,127.0.0.1,::1"),
        ({"ALL_PROXY": "socks5://proxy:1080", "NO_PROXY": ""}, "127.0.0.1,localhost,::1"),
    ],
)
def test_this_machine_is_reached_through_no_proxy(given: dict[str, str], reached: str | None) -> None:
    expected = {} if reached is None else {"NO_PROXY": reached, "no_proxy": reached}
    assert environment.without_proxy(given) == expected


def test_only_socks_proxies_are_those_that_the_client_cannot_use() -> None:
    given = {"ALL_PROXY": "socks5h://proxy:1080", "http_proxy": "http://proxy:8080", "socks": "socks5://x"}
    assert environment.socks_proxies(given) == ["ALL_PROXY"]


def test_a_server_that_prefect_is_told_to_use_must_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://user:secret@127.0.0.1:{free.getsockname()[1]}/api"
    monkeypatch.setenv("PREFECT_API_URL", address)
    with pytest.raises(UnavailableError) as excinfo:
        prefect_api.find(tmp_path)
    assert excinfo.value.code == "flows.server_does_not_answer"
    assert "secret" not in str(excinfo.value)
