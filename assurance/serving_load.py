"""What a decision server must keep under load: `python -m assurance.serving_load`.

* Switches: while clients ask without a pause, the served version changes hundreds of times. No request fails,
  and every score is that of the version the answer names.
* Replays: every decision on record is computed again, bit for bit.
* Memory: the process does not grow with the number of requests.

The exit status says whether all hold.
"""

from __future__ import annotations

import argparse
import http.client
import json
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest

from clearance.serving import served_model
from clearance.serving.access import AccessSettings, KeyHolder, Role
from clearance.serving.champion import Champion, Sight
from clearance.serving.served_model import ServedModel
from tests.support import governed, serving
from tests.support.serving import ROW, Running

CLIENTS = 4
GROWTH = 24 * 2**20
"""Bytes that the process may grow by after it has warmed up: fragments of the allocator, not records."""
SETTINGS = AccessSettings(
    callers=tuple(
        KeyHolder(name=holder.name, key_sha256=holder.key_sha256, roles=holder.roles, rows_a_minute=10**9)
        for holder in serving.CALLERS
    )
)


@dataclass
class Asked:
    """What clients saw: answers by version, and what was wrong, by kind."""

    answers: Counter[int] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)


def two_versions() -> tuple[ServedModel, ServedModel]:
    """The verified versions 1 and 2 of the governed project, with other scores for the same row."""
    with pytest.MonkeyPatch.context() as patch:
        place = governed.enter(patch).put("successor")
        second = served_model.load_champion(place.root)
        first = served_model.load_version(place.root, 1, place.proposed(1).content)
    return first, second


def _ask(served: Running, scores: dict[int, float], stop: threading.Event, asked: Asked) -> None:
    body = {"rows": [{"entity": "E", "features": ROW}]}
    with served.client() as client:
        while not stop.is_set():
            try:
                answer = client.post("/v1/predict", json=body)
            except httpx.HTTPError as error:
                asked.wrong[type(error).__name__] += 1
                continue
            if answer.status_code != 200:
                asked.wrong[str(answer.status_code)] += 1
                continue
            (decision,) = answer.json()["decisions"]
            asked.answers[decision["version"]] += 1
            if decision["score"] != scores[decision["version"]]:
                asked.wrong["mislabelled"] += 1


def switches(folder: Path, count: int) -> Asked:
    """Change the served version `count` times while clients ask."""
    versions = two_versions()
    row = tuple(ROW[column.name] for column in versions[0].inputs)
    scores = {model.version: model.scores([row])[0] for model in versions}
    turn = [0]
    champion = Champion(
        Path(),
        load=lambda _: versions[turn[0] % 2],
        look=lambda _: Sight(entries=turn[0], digest="", alias=1),
        restriction=lambda _, __: None,
    )
    champion.start()
    asked, stop = Asked(), threading.Event()
    with serving.running(folder, champion, SETTINGS) as served:
        clients = [threading.Thread(target=_ask, args=(served, scores, stop, asked)) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        for number in range(1, count + 1):
            turn[0] = number
            if not champion.refresh():
                asked.wrong["not switched"] += 1
            time.sleep(0.01)
        stop.set()
        for client in clients:
            client.join()
    return asked


def replays(folder: Path, count: int) -> Asked:
    """Make `count` decisions and compute each again."""
    asked = Asked()
    model = serving.champion_model()
    with serving.running(folder, serving.fixed(lambda: model), SETTINGS) as served:
        ids: list[str] = []
        with served.client() as client:
            for start in range(0, count, 500):
                rows = [
                    {"features": ROW | {"amount": (number * 7919 % 10007) / 3.0, "ratio": number / count}}
                    for number in range(start, min(start + 500, count))
                ]
                answer = client.post("/v1/predict", json={"rows": rows})
                ids += [decision["id"] for decision in answer.json()["decisions"]]
        with served.client(Role.READ) as client:
            for id_ in ids:
                replay = client.post(f"/v1/decisions/{id_}/replay", params={"reason": "the study"})
                asked.answers[1] += 1
                if replay.status_code != 200 or replay.json()["same"] is not True:
                    asked.wrong["not the same"] += 1
    return asked


def memory(folder: Path, count: int) -> tuple[int, int]:
    """Resident bytes of the process after a tenth of `count` requests, and after all."""
    process, model = psutil.Process(), serving.champion_model()
    body = json.dumps({"rows": [{"entity": "E", "features": ROW}]})
    key = serving.KEYS[Role.PREDICT]
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    before = 0
    with serving.running(folder, serving.fixed(lambda: model), SETTINGS) as served:
        connection = http.client.HTTPConnection(served.address.removeprefix("http://"))
        for number in range(count):
            connection.request("POST", "/v1/predict", body, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"request {number} ended with {answer.status}")
            if number == count // 10:
                before = process.memory_info().rss
    return before, process.memory_info().rss


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m assurance.serving_load", description=__doc__)
    parser.add_argument("--switches", type=int, default=300)
    parser.add_argument("--replays", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=200_000, help="of the memory study; 0: leave it out")
    options = parser.parse_args()
    broken = 0
    for name, study, count in (
        ("switches", switches, options.switches),
        ("replays", replays, options.replays),
    ):
        with tempfile.TemporaryDirectory() as folder:
            asked = study(Path(folder), count)
        broken += sum(asked.wrong.values())
        print(f"{count:,} {name}: {sum(asked.answers.values()):,} answers, wrong: {dict(asked.wrong) or 0}")
    if options.requests:
        with tempfile.TemporaryDirectory() as folder:
            before, after = memory(Path(folder), options.requests)
        broken += after - before > GROWTH
        grown = (after - before) / 2**20
        print(
            f"{options.requests:,} requests: {grown:+.1f} MiB after the first tenth ({after / 2**20:.0f} MiB)"
        )
    raise SystemExit(1 if broken else 0)


if __name__ == "__main__":
    main()
