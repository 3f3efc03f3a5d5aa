"""What proof costs: verifying one version, and signing the evidence of a run: `python -m benchmarks proof`.

Both in whole processes of a clone whose run was judged and released. What a process spends on imports is
measured by another that imports the very same modules in the same order, and taken off.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

VERIFY = """
import json, sys
from clearance import verify
assert all(check.holds for check in verify(".", 1))
with open("modules.json", "w") as file:
    json.dump([name for name in sys.modules if name != "__main__"], file)
"""
IMPORT = """
import importlib, json
for name in json.load(open("modules.json")):
    try:
        importlib.import_module(name)
    except ImportError:
        pass
"""
ATTEST = """
import time
from clearance.promotion import propose
from tasks import release as release_task
spent = []
def timed(whole):
    def run(*args, **options):
        start = time.perf_counter()
        try:
            return whole(*args, **options)
        finally:
            spent.append(time.perf_counter() - start)
    return run
propose.Candidate.attest = timed(propose.Candidate.attest)
release_task.main()
print("attest", *spent)
"""


def _environment() -> dict[str, str]:
    """This process's, without what its own imports made of it: another project's registry and homes."""
    ours = {"CLEARANCE", "DVC", "GX", "MLFLOW", "PREFECT"}
    return {name: value for name, value in os.environ.items() if name.partition("_")[0] not in ours}


def seconds(code: str, project: Path) -> tuple[float, str]:
    """What one process of the project takes for `code`, and what it printed."""
    start = time.perf_counter()
    process = subprocess.run(
        [
            sys.executable,
            "-c",
            f"from pathlib import Path\nfrom clearance import environment\n"
            f"environment.apply(Path.cwd())\n{code}",
        ],
        cwd=project,
        env=_environment() | {"PYTHONPATH": str(project)},
        check=False,
        capture_output=True,
        text=True,
    )
    if process.returncode:
        sys.stderr.write(process.stdout + process.stderr)
        process.check_returncode()
    return time.perf_counter() - start, process.stdout


def speed(project: Path, repeats: int) -> dict[str, float]:
    """Seconds beyond imports of `clearance verify 1`, and of evidence and signature in a release.

    Each release is that of another model, judged by plain DVC: with another seed.
    """
    signing = []
    settings = (project / "params.yaml").read_text()
    for seed in range(repeats):
        (project / "params.yaml").write_text(re.sub(r"(?m)^seed: .*$", f"seed: {seed + 1000}", settings))
        subprocess.run(
            [sys.executable, "-m", "dvc", "repro", "--quiet"], cwd=project, env=_environment(), check=True
        )
        subprocess.run(
            [sys.executable, "-m", "tasks.track"],
            cwd=project,
            env=_environment(),
            check=True,
        )
        output = seconds(ATTEST, project)[1]
        signing.append(sum(map(float, output.rpartition("attest ")[2].split())))
    verifying = [seconds(VERIFY, project)[0] - seconds(IMPORT, project)[0] for _ in range(repeats)]
    return {"verify": statistics.median(verifying), "sign": statistics.median(signing)}
