"""Hostile model files: each would leave a mark if anything in it ran, or take memory or time without end.

`fire` says how a careless program runs it (None: it does harm without running).
`python -m assurance.hostile_payloads FOLDER` is that program, for the payloads laid out in FOLDER.
"""

from __future__ import annotations

import gzip
import importlib.util
import io
import json
import pickle
import re
import struct
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cloudpickle
import joblib
import numpy as np
import scipy.sparse
import skops.io
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from assurance import hostile_boosters
from clearance.models import model_file


@dataclass(frozen=True)
class Place:
    """Where a payload leaves its mark, the module planted for it (its import does), a listener's port."""

    mark: Path
    module: str
    port: int

    @property
    def shell(self) -> str:
        return f"touch '{self.mark}'"

    @property
    def python(self) -> str:
        return f"open({str(self.mark)!r}, 'w').close()"

    @property
    def calls(self) -> str:
        return (
            f"import socket; s = socket.create_connection(('127.0.0.1', {self.port})); "
            f"s.sendall({str(self.mark)!r}.encode()); s.shutdown(1); s.recv(1)"
        )


@dataclass(frozen=True, kw_only=True)
class Payload:
    """A hostile file. `kind` is its class in the tally."""

    name: str
    kind: str
    make: Callable[[Place], bytes]
    fire: str | None


class _Runs:
    """Whoever unpickles one calls `function`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def _imports(module: str) -> bytes:
    return f"c{module}\nfire\n(tR.".encode()


def _pickles() -> dict[str, Callable[[Place], bytes]]:
    import importlib
    import os
    import runpy

    def dumped(
        function: Any, argument: Callable[[Place], Any], protocol: int = 4
    ) -> Callable[[Place], bytes]:
        return lambda place: pickle.dumps(_Runs(function, argument(place)), protocol)

    def python(place: Place) -> str:
        return place.python

    def script(place: Place) -> str:
        path = place.mark.with_name("script.py")
        path.write_text(place.python)
        return str(path)

    return {
        "os.system": dumped(os.system, lambda place: place.shell),
        "os.system in the oldest protocol": dumped(os.system, lambda place: place.shell, 0),
        "exec": dumped(exec, python),
        "eval": dumped(eval, python),
        "subprocess.call": dumped(subprocess.call, lambda place: ["touch", str(place.mark)]),
        "subprocess.Popen": lambda place: pickle.dumps(
            _Runs(subprocess.check_output, ["sh", "-c", place.shell])
        ),
        "a connection": dumped(exec, lambda place: place.calls),
        "runpy": dumped(runpy.run_path, script),
        "importlib": dumped(importlib.import_module, lambda place: place.module),
        "a planted class": lambda place: _imports(place.module),
        "behind a harmless object": lambda place: pickle.dumps(
            [LogisticRegression(), _Runs(os.system, place.shell)]
        ),
        "a function by value": lambda place: cloudpickle.dumps(_Runs(_by_value(), str(place.mark))),
    }


def _by_value() -> Any:
    def fire(mark: str) -> None:
        Path(mark).touch()

    fire.__module__ = "__main__"
    return fire


def _joblib(place: Place, **how: Any) -> bytes:
    buffer = io.BytesIO()
    joblib.dump({"model": np.arange(3), "then": _Runs(exec, place.python)}, buffer, **how)
    return buffer.getvalue()


def _objects(place: Place) -> Any:
    array = np.empty(1, dtype=object)
    array[0] = _Runs(exec, place.python)
    return array


def _npy(place: Place) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, _objects(place), allow_pickle=True)
    return buffer.getvalue()


def _npz(place: Place) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=True, data=_objects(place))
    return buffer.getvalue()


Node = dict[str, Any]


def _node(loader: str, name: str, **more: Any) -> Node:
    module, _, kind = name.rpartition(".")
    return {"__class__": kind, "__module__": module, "__loader__": loader, **more}


def _text(value: Any) -> Node:
    return _node("JsonNode", "builtins.str", content=json.dumps(value), is_json=True)


def _tuple(*nodes: Node) -> Node:
    return _node("TupleNode", "builtins.tuple", content=list(nodes))


def _list(*nodes: Node, name: str = "builtins.list") -> Node:
    return _node("ListNode", name, content=list(nodes))


def _dict(content: Mapping[str, Node], keys: Node | None = None, name: str = "builtins.dict") -> Node:
    kinds = keys or _list(*[_node("TypeNode", "builtins.str") for _ in content])
    return _node("DictNode", name, key_types=kinds, content=dict(content))


def _on_key(function: Node, key: str) -> Node:
    """A dictionary that makes its key by calling `function` on a text: what is no type will do."""
    return _dict({key: _text(0)}, keys=_list(function))


def _made(name: str, *arguments: Any) -> Node:
    return _node("ConstructorFromReduceNode", name, content=_tuple(*map(_text, arguments)))


def _partial(function: str, name: str = "functools.partial") -> Node:
    content = {
        "func": _node("FunctionNode", function),
        "args": _tuple(),
        "kwds": _dict({}),
        "namespace": _dict({}),
    }
    return _node("PartialNode", name, content=content)


def _archive(node: Node, protocol: int = 2, **members: bytes) -> bytes:
    """The archive of a node, laid out as ours are: only what it holds can be held against it."""
    files = {name.replace("_", "."): content for name, content in members.items()}
    return model_file.archive({"schema.json": json.dumps({**node, "protocol": protocol}).encode(), **files})


_EMPTY_NPY = io.BytesIO()
np.save(_EMPTY_NPY, np.zeros(1))


def _nodes() -> dict[str, Callable[[Place], Node]]:
    """What a skops file does once it may name the types that it wants."""
    path = "pathlib.PosixPath"
    return {
        "a dictionary keyed by os.system": lambda p: _on_key(_node("FunctionNode", "os.system"), p.shell),
        "a dictionary keyed by posix.system": lambda p: _on_key(_node("TypeNode", "posix.system"), p.shell),
        "a dictionary keyed by exec": lambda p: _on_key(_node("FunctionNode", "builtins.exec"), p.python),
        "a partial of os.system": lambda p: _on_key(_partial("os.system"), p.shell),
        "a partial under a trusted name": lambda p: _on_key(_partial("os.system", "numpy.dtype"), p.shell),
        "eval as a constructor": lambda p: _made("builtins.eval", p.python),
        "exec as a constructor": lambda p: _made("builtins.exec", p.python),
        "subprocess as a constructor": lambda p: _made("subprocess.call", ["touch", str(p.mark)]),
        "a call by operator": lambda p: _node(
            "OperatorFuncNode",
            "operator.call",
            attrs=_tuple(_node("FunctionNode", "os.system"), _text(p.shell)),
        ),
        "a method of a path": lambda p: _on_key(
            _node("MethodNode", path, content={"func": "write_text", "obj": _made(path, str(p.mark))}),
            "x",
        ),
        "eval as a loss": lambda p: _node(
            "LossNode", "builtins.eval", __reduce__={"args": _tuple(_text(p.python))}, content=_dict({})
        ),
        "a planted function as a random state": lambda p: _node(
            "RandomStateNode", f"{p.module}.fire", content=_text({})
        ),
        "a planted function as a list": lambda p: _list(_text(1), name=f"{p.module}.fire"),
        "a planted function as a set": lambda p: _node("SetNode", f"{p.module}.fire", content=[]),
        "a planted function as a dictionary": lambda p: _dict({}, name=f"{p.module}.fire"),
        "a planted class as an object": lambda p: _node("ObjectNode", f"{p.module}.Fire", content=_dict({})),
        "the import of a planted type": lambda p: _node("TypeNode", f"{p.module}.Fire"),
        "the import of a planted function": lambda p: _node("FunctionNode", f"{p.module}.fire"),
        "a planted namedtuple": lambda p: _node("TupleNode", f"{p.module}.Fire", content=[]),
    }


_OF_LIBRARIES = {
    "catboost": "catboost.core.CatBoostClassifier",
    "lightgbm": "lightgbm.sklearn.LGBMClassifier",
    "xgboost": "xgboost.sklearn.XGBClassifier",
}
_HONEST = _text(hostile_boosters.lightgbm())


def _with_a_call() -> dict[str, Callable[[Place], Node]]:
    """A function among the settings of each library that is installed: without it nothing could run."""
    return {
        f"a function among the settings of {library}": lambda p, name=name: _booster(
            name, callbacks=_on_key(_node("FunctionNode", "os.system"), p.shell)
        )
        for library, name in _OF_LIBRARIES.items()
        if importlib.util.find_spec(library)
    }


def _booster(name: str, **state: Node) -> Node:
    return _node("ObjectNode", name, content=_dict(state))


def _lightgbm(case: str) -> bytes:
    return _archive(_booster("lightgbm.basic.Booster", _handle=_text(hostile_boosters.LIGHTGBM[case])))


def _xgboost(case: str) -> bytes:
    return _bytes(json.dumps(hostile_boosters.snapshot(hostile_boosters.XGBOOST[case]())).encode())


def _bytes(content: bytes) -> bytes:
    handle = _node("BytearrayNode", "builtins.bytearray", file="0.bin")
    return _archive(_booster("xgboost.core.Booster", handle=handle), **{"0_bin": content})


def _in_old_protocol(place: Place) -> bytes:
    return _archive(
        _node("FunctionNode", "x.y", content={"module_path": place.module, "function": "fire"}), protocol=0
    )


def _array(place: Place) -> bytes:
    node = _node("NdArrayNode", f"{place.module}.fire", type="numpy", file="0.npy")
    return _archive(node, **{"0_npy": _EMPTY_NPY.getvalue()})


def _step(place: Place) -> bytes:
    """A pipeline whose step writes the rows to a file when it scores."""
    steps = [("say", FunctionTransformer()), ("estimator", _logistic())]
    content = model_file.canonical(skops.io.dumps(Pipeline(steps)))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(members["schema.json"])
    transformer = schema["content"]["content"]["steps"]["content"][0]["content"][1]
    to_file = _tuple(_text("tofile"), _text(str(place.mark)))
    call = _node("OperatorFuncNode", "operator.methodcaller", attrs=to_file)
    transformer["content"]["content"]["func"] = call
    return model_file.archive(members | {"schema.json": json.dumps(schema).encode()})


@cache
def _logistic() -> Any:
    return LogisticRegression().fit(*_rows())


def _rows() -> tuple[Any, Any]:
    rows = np.random.default_rng(0).random((60, 3))
    return rows, (rows[:, 0] > 0.5).astype(int)


def _good() -> dict[str, bytes]:
    """The members of an honest file."""
    with zipfile.ZipFile(io.BytesIO(model_file.canonical(skops.io.dumps(_logistic())))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _zipped(members: Mapping[str | zipfile.ZipInfo, bytes], **how: Any) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", **how) as archive:
        warnings.simplefilter("ignore")
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _linked() -> bytes:
    link = zipfile.ZipInfo("99.npy", (1980, 1, 1, 0, 0, 0))
    link.external_attr = 0o120777 << 16
    return _zipped({**_good(), link: b"/etc/hostname"})


def _twice(place: Place) -> bytes:
    schema = _archive(_on_key(_node("FunctionNode", "os.system"), place.shell))
    with zipfile.ZipFile(io.BytesIO(schema)) as archive:
        hostile = archive.read("schema.json")
    second = zipfile.ZipInfo("schema.json", (1980, 1, 1, 0, 0, 0))
    return _zipped({**_good(), second: hostile})


def _encrypted() -> bytes:
    content = bytearray(model_file.archive(_good()))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        for match in re.finditer(re.escape(mark), bytes(content)):
            content[match.start() + place] |= 1
    return bytes(content)


def _renamed_inside() -> bytes:
    """The name before a member is not the one in the list at the end."""
    return model_file.archive(_good()).replace(b"schema.json", b"schema.jsoN", 1)


def _wrong_crc() -> bytes:
    content = bytearray(model_file.archive(_good()))
    content[200] ^= 1
    return bytes(content)


def _application(place: Place) -> bytes:
    """A file that is an archive to one program and a program to another."""
    return b"#!/bin/sh\n" + place.shell.encode() + b"\nexit 0\n" + model_file.archive(_good())


def _zipapp(place: Place) -> bytes:
    return _zipped({**_good(), "__main__.py": place.python.encode()})


def _bomb(size: int = 1 << 26) -> bytes:
    return _zipped({**_good(), "9.npy": bytes(size)}, compression=zipfile.ZIP_DEFLATED)


def _bomb_within() -> bytes:
    buffer = io.BytesIO()
    scipy.sparse.save_npz(buffer, scipy.sparse.csr_matrix(np.zeros((1, 1 << 22))))
    members = {"data.npy": bytes(1 << 26)}
    node = _node("SparseMatrixNode", "scipy.sparse._base.spmatrix", type="scipy", file="0.npz")
    return _archive(node, **{"0_npz": _zipped(members, compression=zipfile.ZIP_DEFLATED)})


def _endless_header() -> bytes:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1152921504606846976,), }".ljust(117) + b"\n"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
    return _archive(_node("NdArrayNode", "numpy.ndarray", type="numpy", file="0.npy"), **{"0_npy": content})


def _laughs() -> bytes:
    """Lists of lists, each named by its id: 10 to the power of 12 items when unfolded."""
    inner: Node = _list() | {"__id__": 1}
    for at in range(2, 14):
        again = [_node("ListNode", "builtins.list", __id__=at - 1, content=[])] * 9
        inner = _list(inner, *again) | {"__id__": at}
    return _archive(inner)


def _itself() -> bytes:
    return _archive(_list(_node("CachedNode", "builtins.list", __id__=1)) | {"__id__": 1})


def _deep() -> bytes:
    text = '{"__class__":"list","__module__":"builtins","__loader__":"ListNode","protocol":2,"content":['
    return model_file.archive({"schema.json": (text * 20_000 + "]}" * 20_000).encode()})


def _dtype() -> bytes:
    """`numpy.dtype`, which we trust, through a loader that hands it a state: pointers where numbers are."""
    state = _tuple(*map(_text, (3, "|", None, None, None, 8, 1, 63)))
    node = _node("LossNode", "numpy.dtype", __reduce__={"args": _tuple(_text("V8"))}, content=state)
    return _archive(node)


@cache
def _ensemble(kind: type, **arguments: Any) -> Any:
    return kind(random_state=0, **arguments).fit(*_rows())


def _spoilt(model: Any, spoil: Callable[[Any], None]) -> bytes:
    copy = pickle.loads(pickle.dumps(model))  # noqa: S301 - our own
    spoil(copy)
    return model_file.canonical(skops.io.dumps(copy))


def _forest(spoil: Callable[[Any], None]) -> bytes:
    return _spoilt(_ensemble(RandomForestClassifier, n_estimators=2, max_depth=3), spoil)


def _boosting(spoil: Callable[[Any], None]) -> bytes:
    return _spoilt(_ensemble(HistGradientBoostingClassifier, max_iter=2, min_samples_leaf=5), spoil)


def _set_tree(forest: Any, **state: Any) -> None:
    tree = forest.estimators_[0].tree_
    tree.__setstate__(tree.__getstate__() | state)


def _set_node(forest: Any, field: str, value: int) -> None:
    nodes = forest.estimators_[0].tree_.__getstate__()["nodes"].copy()
    nodes[field][0] = value
    _set_tree(forest, nodes=nodes)


def _set_predictor(model: Any, **fields: int) -> None:
    for field, value in fields.items():
        model._predictors[0][0].nodes[field][0] = value


def _posing() -> bytes:
    model = pickle.loads(  # noqa: S301 - our own
        pickle.dumps(_ensemble(GradientBoostingClassifier, n_estimators=2, max_depth=2))
    )
    wide = DecisionTreeClassifier(random_state=0).fit(np.eye(40), np.arange(40) % 2)
    posing = LogisticRegression()
    posing.tree_ = wide.tree_
    model.estimators_[0, 0] = posing
    return model_file.canonical(skops.io.dumps(model))


def _all() -> list[Payload]:
    def plain(kind: str, fire: str | None, **makers: Callable[[Place], bytes]) -> list[Payload]:
        return [Payload(name=name, kind=kind, make=make, fire=fire) for name, make in makers.items()]

    def still(kind: str, **makers: Callable[[], bytes]) -> list[Payload]:
        return plain(kind, None, **{name: lambda _, make=make: make() for name, make in makers.items()})

    pickles = _pickles()
    made = _nodes() | _with_a_call()
    nodes = {name: lambda p, make=make: _archive(make(p)) for name, make in made.items()}
    return [
        *plain("pickle", "pickle", **pickles),
        *plain(
            "pickle",
            "joblib",
            **{
                "joblib": _joblib,
                "joblib, zlib": lambda p: _joblib(p, compress=3),
                "joblib, gzip": lambda p: _joblib(p, compress=("gzip", 3)),
                "joblib of a pickle": lambda p: gzip.compress(pickles["exec"](p)),
            },
        ),
        *plain("pickle", "numpy", **{"an array of objects": _npy, "arrays of objects": _npz}),
        *plain(
            "pickle",
            "member",
            **{
                "an array of objects in an archive": lambda p: _archive(
                    _node("NdArrayNode", "numpy.ndarray", type="numpy", file="0.npy"), **{"0_npy": _npy(p)}
                ),
                "arrays of objects in an archive": lambda p: _archive(
                    _node("SparseMatrixNode", "scipy.sparse._base.spmatrix", type="scipy", file="0.npz"),
                    **{"0_npz": _npz(p)},
                ),
            },
        ),
        *plain("skops", "skops", **nodes),
        *plain(
            "skops", "skops", **{"a function in an old protocol": _in_old_protocol, "a planted array": _array}
        ),
        *plain("skops", "score", **{"a step that writes a file": _step}),
        *still("skops", **{"a trusted type with a state of the file's": _dtype}),
        *plain(
            "archive",
            "extract",
            **{
                "a name that leaves the folder": lambda p: _zipped({**_good(), f"../../{p.mark.name}": b""}),
                "an absolute name": lambda p: _zipped({**_good(), str(p.mark): b""}),
            },
        ),
        *plain("archive", "skops", **{"a second schema": _twice}),
        *plain("archive", "shell", **{"a program before it": _application}),
        *plain("archive", "python", **{"a program in it": _zipapp}),
        *still(
            "archive",
            **{
                "a link": _linked,
                "an encrypted member": _encrypted,
                "two names for a member": _renamed_inside,
                "a wrong check sum": _wrong_crc,
                "bytes behind it": lambda: model_file.archive(_good()) + b"more",
                "a member of another name": lambda: model_file.archive({**_good(), "x.py": b""}),
            },
        ),
        *still(
            "bomb",
            **{
                "a compressed member": _bomb,
                "compressed arrays in an archive": _bomb_within,
                "an array of 8 EiB": _endless_header,
                "lists without end": _laughs,
                "a list in itself": _itself,
                "20,000 lists deep": _deep,
                "a number of a million digits": lambda: _archive(
                    _node("JsonNode", "builtins.int", content="9" * 1_000_000)
                ),
            },
        ),
        *still(
            "tree",
            **{
                "a child elsewhere": lambda: _forest(lambda f: _set_node(f, "left_child", 1 << 30)),
                "a child that is its parent": lambda: _forest(lambda f: _set_node(f, "right_child", 0)),
                "a column that is not there": lambda: _forest(lambda f: _set_node(f, "feature", 1 << 30)),
                "fewer nodes than it has": lambda: _forest(lambda f: _set_tree(f, node_count=1)),
                "a boosted child elsewhere": lambda: _boosting(lambda m: _set_predictor(m, left=1 << 30)),
                "a boosted column": lambda: _boosting(lambda m: _set_predictor(m, feature_idx=1 << 30)),
                "categories without a table": lambda: _boosting(
                    lambda m: _set_predictor(m, is_categorical=1, bitset_idx=1 << 30)
                ),
                "rows taken as binned": lambda: _boosting(lambda m: vars(m).update(_in_fit=True)),
                "a method that is no more": lambda: _forest(
                    lambda f: vars(f).update(_validate_X_predict=np.float32)
                ),
                "a tree in what is none": _posing,
            },
        ),
        *still(
            "booster",
            **{
                "LightGBM, a child elsewhere": lambda: _lightgbm("a child elsewhere"),
                "LightGBM, a child that is its parent": lambda: _lightgbm("a child that is its parent"),
                "LightGBM, a column that is not there": lambda: _lightgbm("a column that is not there"),
                "LightGBM, a billion leaves": lambda: _lightgbm("a billion leaves"),
                "LightGBM, a size beyond the file": lambda: _lightgbm("a size beyond the file"),
                "LightGBM, another objective": lambda: _lightgbm("another objective"),
                "LightGBM, a second text": lambda: _archive(
                    _booster("lightgbm.basic.Booster", _handle=_HONEST, handle=_HONEST)
                ),
                "XGBoost, a child elsewhere": lambda: _xgboost("a child elsewhere"),
                "XGBoost, a child that is its parent": lambda: _xgboost("a child that is its parent"),
                "XGBoost, a column that is not there": lambda: _xgboost("a column that is not there"),
                "XGBoost, a billion nodes": lambda: _xgboost("a billion nodes"),
                "XGBoost, a leaf that is not a number": lambda: _xgboost("a leaf that is not a number"),
                "XGBoost, a list longer than the file": lambda: _bytes(
                    hostile_boosters.XGBOOST_BYTES["a binary list longer than the file"]
                ),
                "CatBoost, offsets beyond the file": lambda: _archive(
                    _booster(
                        "catboost.core.CatBoostClassifier",
                        __model=_node("BytesNode", "builtins.bytes", file="0.bin"),
                    ),
                    **{"0_bin": b"CBM1" + (60).to_bytes(4, "little") + b"\xff" * 60},
                ),
            },
        ),
    ]


ALL: list[Payload] = _all()


def planted(place: Place) -> str:
    """The text of the module planted for a payload."""
    return (
        f"{place.python}\n"
        "def fire(*_, **__):\n    return {}\n"
        "class Fire:\n    def __setstate__(self, _): pass\n"
        "def _load_pyfunc(*_, **__):\n    return None\n"
    )


def _member(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name != "schema.json":
                _numpy(io.BytesIO(archive.read(name)))


def _numpy(file: Any) -> None:
    array = np.load(file, allow_pickle=True)
    if isinstance(array, np.lib.npyio.NpzFile):
        [array[name] for name in array.files]


def _trusting(path: Path) -> Any:
    return skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))


def _extract(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            target = path.parent / "a" / "b" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(name))


def _mlflow(path: Path) -> None:
    import mlflow.pyfunc

    mlflow.pyfunc.load_model(str(path))


def _yaml(path: Path) -> None:
    import yaml

    yaml.unsafe_load((path / "MLmodel").read_text())


CARELESS: dict[str, Callable[[Path], Any]] = {
    "pickle": lambda path: pickle.loads(path.read_bytes()),  # noqa: S301
    "joblib": joblib.load,
    "numpy": _numpy,
    "member": _member,
    "skops": _trusting,
    "score": lambda path: _trusting(path).predict_proba(_rows()[0]),
    "extract": _extract,
    "shell": lambda path: subprocess.run(["sh", str(path)], check=False),
    "python": lambda path: subprocess.run([sys.executable, str(path)], check=False),
    "mlflow": _mlflow,
    "yaml": _yaml,
}
"""How a careless program meets a model file, or a folder."""


def main() -> None:
    """Run every payload that FOLDER/list.json names, each the careless way."""
    folder = Path(sys.argv[1])
    sys.path.insert(0, str(folder / "modules"))
    warnings.simplefilter("ignore")
    for place, fire in json.loads((folder / "list.json").read_text()).items():
        try:
            CARELESS[fire](folder / place)
        except Exception as error:  # noqa: BLE001 - what it raises after it ran does not matter
            print(f"{place}: {type(error).__name__}: {str(error)[:200]}", file=sys.stderr)


if __name__ == "__main__":
    main()
