"""Hostile MLflow model folders: an honest one, and one thing in it that a careless loader would run.

As in `assurance.hostile_payloads`, `fire` names the loader that runs it; None: it waits for an installer
or for a later day.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from assurance import hostile_payloads
from assurance.hostile_payloads import Place


@dataclass(frozen=True, kw_only=True)
class Folder:
    """What is done to an MLflow model folder."""

    name: str
    plant: Callable[[Path, Place], None]
    fire: str | None


def _edit(folder: Path, change: Callable[[Any], None]) -> None:
    path = folder / "MLmodel"
    data = yaml.safe_load(path.read_text())
    change(data)
    path.write_text(yaml.safe_dump(data))


def _flavor(folder: Path, **keys: Any) -> None:
    _edit(folder, lambda data: data["flavors"]["python_function"].update(keys))


def _payload(name: str, place: Place) -> bytes:
    return next(payload for payload in hostile_payloads.ALL if payload.name == name).make(place)


def _loader(folder: Path, place: Place) -> None:
    _flavor(folder, loader_module=place.module)


def _code(folder: Path, place: Place) -> None:
    (folder / "code").mkdir()
    (folder / f"code/{place.module}_within.py").write_text(hostile_payloads.planted(place))
    _flavor(folder, loader_module=f"{place.module}_within", code="code")


def _code_waiting(folder: Path, place: Place) -> None:
    (folder / "code").mkdir()
    (folder / "code/sitecustomize.py").write_text(hostile_payloads.planted(place))


def _code_declared(folder: Path, place: Place) -> None:
    _code_waiting(folder, place)
    _flavor(folder, code="code")


def _code_elsewhere(folder: Path, place: Place) -> None:
    outside = place.mark.with_name("code")
    outside.mkdir()
    (outside / f"{place.module}_outside.py").write_text(hostile_payloads.planted(place))
    _flavor(folder, loader_module=f"{place.module}_outside", code=os.path.relpath(outside, folder))


def _pickled(kind: str, name: str) -> Callable[[Path, Place], None]:
    def plant(folder: Path, place: Place) -> None:
        (folder / "model.pkl").write_bytes(_payload(name, place))

        def change(data: Any) -> None:
            data["flavors"]["python_function"]["model_path"] = "model.pkl"
            data["flavors"]["sklearn"].update(pickled_model="model.pkl", serialization_format=kind)

        _edit(folder, change)

    return plant


def _python_model(folder: Path, place: Place) -> None:
    (folder / "python_model.pkl").write_bytes(_payload("a function by value", place))
    _flavor(folder, loader_module="mlflow.pyfunc.model", python_model="python_model.pkl")


def _from_code(folder: Path, place: Place) -> None:
    (folder / "model.py").write_text(place.python)
    _flavor(folder, loader_module="mlflow.pyfunc.model", model_code_path="model.py", python_model="model.py")


def _own_list(folder: Path, place: Place) -> None:
    content = _payload("a dictionary keyed by os.system", place)
    (folder / "model.skops").write_bytes(content)
    _edit(folder, lambda data: data["flavors"]["sklearn"]["skops_trusted_types"].append("os.system"))


def _longer_list(folder: Path, _place: Place) -> None:
    _edit(folder, lambda data: data["flavors"]["sklearn"]["skops_trusted_types"].append("builtins.eval"))


def _applied(folder: Path, place: Place) -> None:
    text = (folder / "MLmodel").read_text()
    (folder / "MLmodel").write_text(f"{text}then: !!python/object/apply:os.system [{place.shell!r}]\n")


def _swapped(folder: Path, place: Place) -> None:
    (folder / "model.skops").write_bytes(_payload("os.system", place))


def _linked(folder: Path, place: Place) -> None:
    outside = place.mark.with_name("outside.skops")
    outside.write_bytes(_payload("os.system", place))
    (folder / "model.skops").unlink()
    (folder / "model.skops").symlink_to(outside)


def _append(name: str, text: str) -> Callable[[Path, Place], None]:
    def plant(folder: Path, _place: Place) -> None:
        with (folder / name).open("a") as file:
            file.write(text)

    return plant


def _replace(name: str, old: str, new: str) -> Callable[[Path, Place], None]:
    def plant(folder: Path, _place: Place) -> None:
        text = (folder / name).read_text()
        assert old in text, name  # noqa: S101
        (folder / name).write_text(text.replace(old, new, 1))

    return plant


ALL = [
    Folder(name=name, plant=plant, fire=fire)
    for name, plant, fire in (
        ("a loader of its own", _loader, "mlflow"),
        ("a loader in a folder of code", _code, "mlflow"),
        ("code beside the folder", _code_elsewhere, "mlflow"),
        ("a folder of code that waits", _code_waiting, None),
        ("a folder of code that is put on the path", _code_declared, None),
        ("a pickle for a model", _pickled("pickle", "os.system"), "mlflow"),
        ("a cloudpickle for a model", _pickled("cloudpickle", "a function by value"), "mlflow"),
        ("a Python model", _python_model, "mlflow"),
        ("a model from code", _from_code, "mlflow"),
        ("a list of trusted types of its own", _own_list, "mlflow"),
        ("a longer list of trusted types", _longer_list, None),
        ("YAML that calls", _applied, "yaml"),
        ("a pickle under our name", _swapped, None),
        ("a link to a pickle", _linked, None),
        ("another index", _append("requirements.txt", "--extra-index-url http://127.0.0.1:9/\n"), None),
        ("another requirement", _append("requirements.txt", "somebody-else==1\n"), None),
        ("an option for pip", _replace("conda.yaml", "- pip:", "- pip:\n  - --no-deps"), None),
        ("another tool to build with", _replace("python_env.yaml", "- wheel", "- whee1"), None),
    )
]
