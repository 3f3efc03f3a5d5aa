"""`make ui` takes ports of its own and never attaches to a server that it did not start."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import fastapi
import httpx
import pytest

from flows import offline_server, ports, ui
from tests.support import codes

VARIABLE = "PREFECT_UI_PORT"


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind((ports.HOST, 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_taken_port_is_passed_over(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    port = ports.choose(VARIABLE, taken)
    assert port > taken and ports.is_free(port) and not ports.is_free(taken)


def test_a_port_that_was_asked_for_and_is_taken_is_an_error(
    taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "_PATIENCE", 0.05)
    monkeypatch.setenv(VARIABLE, str(taken))
    with codes.raises("flows.port_taken") as error:
        ports.choose(VARIABLE, 4200)
    assert error.value.values["holder"] == "another program"


@pytest.mark.parametrize("value", ["0", "65536", "-1", "http", "４２００"])
def test_what_is_not_a_port_is_an_error(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, value)
    with codes.raises("flows.not_a_port"):
        ports.choose(VARIABLE, 4200)


def test_a_second_one_in_the_same_project_learns_where_the_first_is(tmp_path: Path) -> None:
    with ui._only_one(tmp_path) as descriptor:
        ui._write(descriptor, "http://127.0.0.1:4201 http://127.0.0.1:5001")
        with codes.raises("flows.ui_running") as error, ui._only_one(tmp_path):
            pass
    assert error.value.values["addresses"] == "http://127.0.0.1:4201 and http://127.0.0.1:5001"
    with ui._only_one(tmp_path):
        pass


def test_the_browser_may_connect_to_the_server_that_served_the_page_and_to_no_other() -> None:
    app = fastapi.FastAPI()
    app.add_api_route("/", lambda: "page")

    async def fetch() -> httpx.Response:
        transport = httpx.ASGITransport(offline_server._sealed(app))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.get("/")

    policy = asyncio.run(fetch()).headers["content-security-policy"]
    sources = {source for part in policy.split(";") for source in part.split()[1:]}
    assert sources == {"'self'", "'unsafe-inline'", "'unsafe-eval'", "data:", "blob:", "'none'"}
    assert policy.startswith("default-src ")
