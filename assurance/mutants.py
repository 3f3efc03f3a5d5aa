"""Do the tests of what decides see its code change? `python -m assurance.mutants [room ...] [--write]`.

Mutmut changes one thing at a time in a clone and runs the fast tests of the room. What no test sees is
listed: mutants that differ in words alone (a message, what to do about it) by their number, all others one
by one, each with its reason in `results/mutants.json`, or without one so far. When code is renamed, its
entries there are renamed with it; the counts stay those of the last run that wrote them.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "assurance/results/mutants.json"
TRUST = "clearance/trust"
ROOMS: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "policy": (
        ("clearance/policy/*.py", "clearance/promotion/next_step.py"),
        (
            *("policy", "judge", "sample_size", "values", "significance", "impact", "test_set_notice"),
            "comparison_decision",
            *("authorisation", "findings", "promotion", "packs"),
        ),
    ),
    "ledger": (
        ("clearance/ledger/*.py",),
        (
            *("ledger", "ledger_faults", "ledger_checkpoint_reader", "ledger_history"),
            *("ledger_tampering", "ledger_crashes"),
        ),
    ),
    "approvals": (
        (
            *(f"{TRUST}/{name}.py" for name in ("approval_rules", "approval_state", "decisions", "quorum")),
            *(f"{TRUST}/{name}.py" for name in ("recorded_decisions", "roles", "roles_file", "root")),
            *(f"{TRUST}/{name}.py" for name in ("roles_in_force", "signed_roles")),
            "clearance/promotion/authorised_policy.py",
        ),
        ("approvals", "accounts", "roles", "trust", "authorisation"),
    ),
    "evidence": (
        (
            *(f"{TRUST}/{name}.py" for name in ("evidence_bundle", "dsse", "keys", "key_files", "signers")),
            "clearance/canonical_json.py",
            "clearance/in_toto.py",
            "clearance/documents/measurement.py",
        ),
        ("bundle", "envelope", "evidence", "keys"),
    ),
    "loader": (("clearance/models/model_file.py", "clearance/models/trusted_types.py"), ("model_file",)),
}
COPIED = (
    *(".dvc", ".dvcignore", ".gitignore", ".importlinter", "Makefile", "README.md", "assurance", "data"),
    *("docs", "dvc.lock", "dvc.yaml", "expectations", "flows", "params.yaml", "policies", "prefect.yaml"),
    "reasons.yaml",
    "card.yaml",
    *("requirements.lock", "tasks"),
)
SEEN, UNSEEN = frozenset({1, 3, 24, -24, 36, 152, 255}), frozenset({0, 5, 33})
"""Exit codes of mutmut's children: a test failed or never ended; none failed, or none runs that code."""

CRASHED = frozenset({-11, -9})
"""The child itself ended, which a fork of a process with threads does now and then: it is run again."""


@dataclass(frozen=True, kw_only=True)
class Survivor:
    """A mutant that no test saw: where, and the line before and after."""

    place: str
    before: str
    after: str
    words: bool

    @property
    def key(self) -> str:
        """What it is known by in the record."""
        return f"{self.place}: {self.before} -> {self.after}"


def run(room: str, scratch: Path, children: int) -> tuple[int, list[Survivor]]:
    """Mutate the room in a clone below `scratch`: how many mutants, and which of them no test saw."""
    clone = scratch / room
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    sources, tests = ROOMS[room]
    with (clone / "pyproject.toml").open("a") as file:
        file.write(
            f"\n[tool.mutmut]\nsource_paths = ['clearance']\nonly_mutate = {list(sources)}\n"
            f"also_copy = {list(COPIED)}\n"
            "pytest_add_cli_args = ['-p', 'no:cacheprovider', '-m', 'not slow']\n"
            "timeout_multiplier = 3.0\ntimeout_constant = 5.0\n"
            f"pytest_add_cli_args_test_selection = {[f'tests/test_{name}.py' for name in tests]}\n"
        )
    mutmut = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", str(children)]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    own = {"PATH": path, "OMP_NUM_THREADS": "1"}  # threads that wait for each other look like a loop
    for last in (False, False, True):
        with (scratch / f"{room}.log").open("wb") as log:
            subprocess.run(mutmut, cwd=clone, env=os.environ | own, stdout=log, stderr=log, check=False)
        if last or not _forgot_crashes(clone):
            break
    count = 0
    survivors: list[Survivor] = []
    for meta in sorted((clone / "mutants/clearance").rglob("*.meta")):
        codes = json.loads(meta.read_text())["exit_code_by_key"]
        if unknown := set(codes.values()) - SEEN - UNSEEN - CRASHED:
            log_ = (scratch / f"{room}.log").read_text(errors="replace")
            raise RuntimeError(f"{meta.stem}: mutants ended with {unknown}\n{log_[-2000:]}")
        count += len(codes)
        survivors += _survivors(meta, [name for name, code in codes.items() if code in UNSEEN])
    return count, survivors


def _forgot_crashes(clone: Path) -> bool:
    """Have mutmut run again what crashed; whether there was any. What crashes each time is seen."""
    any_ = False
    for meta in (clone / "mutants/clearance").rglob("*.meta"):
        results = json.loads(meta.read_text())
        crashed = [name for name, code in results["exit_code_by_key"].items() if code in CRASHED]
        if crashed:
            any_ = True
            results["exit_code_by_key"].update(dict.fromkeys(crashed))
            meta.write_text(json.dumps(results))
    return any_


def _survivors(meta: Path, names: Sequence[str]) -> Iterator[Survivor]:
    module = meta.relative_to(meta.parents[len(meta.parts) - meta.parts.index("mutants") - 2])
    bodies = {
        node.name: node
        for node in ast.walk(ast.parse(meta.with_suffix("").read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    for full in names:
        name = full.rpartition(".")[2]
        plain = re.sub(r"__mutmut_\d+$", "", name)
        before, after = bodies[f"{plain}__mutmut_orig"], bodies[name]
        lines = [
            (old.strip(), new.strip())
            for old, new in zip(
                ast.unparse(before).splitlines()[1:], ast.unparse(after).splitlines()[1:], strict=False
            )
            if old != new
        ]
        old, new = lines[0] if lines else ("", "")
        function = re.sub(r"^x_|^xǁ", "", plain).replace("ǁ", ".")
        place = f"{module.with_suffix('').with_suffix('')}:{function}"
        yield Survivor(place=place, before=old, after=new, words=_said(before) == _said(after))


class _Wordless(ast.NodeTransformer):
    """A function without its words: no text in it, and nothing that an error is told with."""

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        return ast.Constant(value="") if isinstance(node.value, str) else node

    def visit_JoinedStr(self, _: ast.JoinedStr) -> ast.expr:
        return ast.Constant(value="")

    def visit_Call(self, node: ast.Call) -> ast.expr:
        callee = ast.unparse(node.func)
        if re.search(r"^faults\.[A-Z_]+$|Error$|^_inconsistent$", callee):
            return ast.Call(func=node.func, args=[], keywords=[])
        return self.generic_visit(node)  # type: ignore[return-value]


def _said(function: ast.AST) -> str:
    lines = ast.unparse(_Wordless().visit(ast.parse(ast.unparse(function)))).splitlines()
    return "\n".join(lines[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rooms", nargs="*", default=list(ROOMS), metavar="room", help=" ".join(ROOMS))
    parser.add_argument("--children", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="keep the survivors, with the reasons known")
    options = parser.parse_args()
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    print("room        mutants  killed  without words  survivors: words  explained  not explained")
    for room in options.rooms:
        with tempfile.TemporaryDirectory(prefix="clearance-bench-") as scratch:
            count, survivors = run(room, Path(scratch), options.children)
        reasons = record.get(room, {}).get("survivors", {})
        words = [survivor for survivor in survivors if survivor.words]
        rest = {survivor.key: reasons.get(survivor.key, "") for survivor in survivors if not survivor.words}
        explained = sum(bool(reason) for reason in rest.values())
        killed = count - len(survivors)
        print(
            f"{room:10} {count:8} {killed / count:7.1%} {killed / (count - len(words)):14.1%} "
            f"{len(words):17} {explained:10} {len(rest) - explained:14}",
            flush=True,
        )
        for key, reason in rest.items():
            if not reason:
                print(f"  {key}")
        record[room] = {"mutants": count, "killed": killed, "words": len(words), "survivors": rest}
    if options.write:
        RECORD.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
