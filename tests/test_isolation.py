"""What a stage can import and what it can see: nothing that lies beside the code that was judged."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import py_compile
import site
import socket
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clearance import installation, isolation, sandbox
from clearance.reproduction import new_environment
from tests.support.codes import raises

TELL = """
import json, os, sys
import yaml
from project import helper
if __name__ == "__main__":
    print(json.dumps({
        "yaml": yaml.__file__, "helper": helper.WORD, "argv": sys.argv[1:], "path": sys.path,
        "variables": dict(os.environ), "evil": "evil" in sys.modules,
    }))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with everything in it that may not count."""
    root = tmp_path / "root"
    write(root / "project/__init__.py", "")
    write(root / "project/tell.py", TELL)
    write(root / "project/helper.py", "WORD = 'evil'")
    poisoned = py_compile.compile(str(root / "project/helper.py"), doraise=True)
    stamp = (root / "project/helper.py").stat()
    write(root / "project/helper.py", "WORD = 'good'")
    os.utime(root / "project/helper.py", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert poisoned and Path(poisoned).is_file()
    write(root / "yaml.py", "raise SystemExit('a module of the project shadows an installed one')")
    write(root / "path/sitecustomize.py", "import sys; sys.modules['evil'] = sys")
    return root


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def environment(root: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(root / "path"),
        "CLEARANCE_SIGNER": "file2:key.pem",
        "CLEARANCE_PASSPHRASE": "secret",
        "MLFLOW_TRACKING_TOKEN": "secret",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "LC_ALL": "C",
    }


def run(root: Path, *words: str) -> dict[str, Any]:
    variables = isolation.variables(environment(root))
    result = subprocess.run(words, cwd=root, env=variables, capture_output=True, text=True, check=True)
    return dict(json.loads(result.stdout))


def run_plainly(root: Path) -> subprocess.CompletedProcess[str]:
    words, variables = [sys.executable, "-m", "project.tell"], environment(root)
    return subprocess.run(words, cwd=root, env=variables, capture_output=True, text=True, check=False)


def test_an_ordinary_python_takes_all_of_it(project: Path) -> None:
    assert "shadows an installed one" in run_plainly(project).stderr
    (project / "yaml.py").unlink()
    output = json.loads(run_plainly(project).stdout)
    assert (output["helper"], output["evil"]) == ("evil", True)


def test_an_isolated_module_takes_none_of_it(project: Path) -> None:
    output = run(project, *isolation.command("-m", "project.tell", "a b"))
    assert "site-packages" in output["yaml"]
    assert (output["helper"], output["evil"], output["argv"]) == ("good", False, ["a b"])
    assert str(project) in output["path"] and "" not in output["path"]
    assert output["path"].index(str(project)) > max(
        index for index, entry in enumerate(output["path"]) if "site-packages" in entry
    )
    assert not {name for name in output["variables"] if "secret" in output["variables"][name]}
    assert not {"PYTHONPATH", "CLEARANCE_SIGNER", "CLEARANCE_PASSPHRASE"} & set(output["variables"])
    assert output["variables"]["LC_ALL"] == "C"


def test_packages_of_an_environment_inside_the_project_are_installed_ones(project: Path) -> None:
    """`make setup` creates the environment in the checkout; its compiled files are read."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", project / ".venv"], check=True)
    python = project / ".venv/bin/python"
    (packages,) = project.glob(".venv/lib/python*/site-packages")
    write(project / "tiny.py", "WORD = 'compiled'")
    py_compile.compile(str(project / "tiny.py"), cfile=str(packages / "tiny.pyc"), doraise=True)
    (project / "tiny.py").unlink()
    write(project / "project/use.py", "import json, tiny; print(json.dumps({'word': tiny.WORD}))")
    assert run(project, *isolation.command("-m", "project.use", python=str(python))) == {"word": "compiled"}


def test_so_does_the_python_that_a_shell_command_finds(project: Path, tmp_path: Path) -> None:
    tools = isolation.write_python(tmp_path / "tools with space")
    output = run(project, "/bin/sh", "-c", f"PATH='{tools}':$PATH; python -m project.tell one")
    assert (output["helper"], output["evil"], output["argv"]) == ("good", False, ["one"])
    result = subprocess.run([tools / "python", "-c", "print(1)"], capture_output=True, text=True, check=True)
    assert result.stdout == "1\n"


def test_only_the_effect_that_signs_sees_the_key() -> None:
    environ = {
        "CLEARANCE_SIGNER": "s",
        "CLEARANCE_PASSPHRASE": "p",
        "PYTHONPATH": "x",
        "MLFLOW_TRACKING_TOKEN": "t",
    }
    assert isolation.variables(environ) == {}
    assert isolation.effect_variables(environ, signs=False) == {"MLFLOW_TRACKING_TOKEN": "t"}
    assert set(isolation.effect_variables(environ, signs=True)) == {*environ} - {"PYTHONPATH"}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux closes a process to its own account")
def test_a_process_that_holds_a_key_is_closed_and_what_it_starts_is_open() -> None:
    code = (
        "import ctypes, subprocess, sys; from pathlib import Path; from clearance.trust import signers\n"
        "get = 'import ctypes; print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))'\n"
        "try: signers.signer('file2:nowhere.pem')\n"
        "except Exception: pass\n"
        "exec(get); sys.stdout.flush(); subprocess.run([sys.executable, '-c', get])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["0", "1"]


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages with one package in it, as pip leaves it."""
    folder = tmp_path / "site-packages"
    write(folder / "tiny/__init__.py", "WORD = 1")
    write(folder / "tiny/data.json", "{}")
    write(folder / "clearance.pth", "/home/project")
    rows = [f"tiny/{name},{record_digest(folder / 'tiny' / name)},9" for name in ("__init__.py", "data.json")]
    write(folder / "tiny-1.0.dist-info/RECORD", "\n".join([*rows, "tiny-1.0.dist-info/RECORD,,"]))
    write(folder / "clearance-0.1.dist-info/RECORD", "clearance.pth,,\n")
    monkeypatch.setattr(site, "getsitepackages", lambda: [str(folder)])
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    installation.inspect.cache_clear()
    yield folder
    installation.inspect.cache_clear()


def record_digest(file: Path) -> str:

    return (
        "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(file.read_bytes()).digest()).rstrip(b"=").decode()
    )


def test_what_is_installed_as_recorded_has_no_faults(packages: Path) -> None:
    first = installation.ensure_unaltered()
    assert first.faults == () and first.modules == 1
    installation.inspect.cache_clear()
    assert installation.inspect() == first, "from what was kept"


def edit(folder: Path) -> str:
    stamp = (folder / "tiny/__init__.py").stat()
    write(folder / "tiny/__init__.py", "WORD = 2")
    os.utime(folder / "tiny/__init__.py", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    return "tiny/__init__.py was edited"


def remove(folder: Path) -> str:
    (folder / "tiny/__init__.py").unlink()
    return "tiny/__init__.py is missing"


def customize(folder: Path) -> str:
    write(folder / "sitecustomize.py", "")
    return "sitecustomize.py was added"


def add_start_up(folder: Path) -> str:
    write(folder / "evil.pth", "import evil")
    return "evil.pth was added"


def change_own_start_up(folder: Path) -> str:
    write(folder / "clearance.pth", "/home/project\nimport evil")
    return "clearance.pth runs code at the start of Python"


@pytest.mark.parametrize("alter", [edit, remove, customize, add_start_up, change_own_start_up])
def test_what_was_altered_is_named_also_after_it_was_sound(packages: Path, alter: Any) -> None:
    before = installation.inspect()
    installation.inspect.cache_clear()
    fault = alter(packages)
    inspection = installation.inspect()
    assert inspection.faults == (fault,)
    if alter in (edit, remove):
        assert inspection.digest != before.digest
    with raises("installation.altered"):
        installation.ensure_unaltered()


SOURCED = {
    "PKG-INFO": "Metadata-Version: 2.1\nName: sourced\nVersion: 1.0\n",
    "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
    "backend.py": """
import zipfile
def build_wheel(folder, *_):
    info, name = "sourced-1.0.dist-info", "sourced-1.0-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as archive:
        archive.writestr("sourced.py", "")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: sourced\\nVersion: 1.0\\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr(f"{info}/RECORD", "")
    return name
""",
}
"""A package that is published as source alone."""


@pytest.mark.slow
def test_a_new_environment_holds_what_the_lock_pins_by_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
    info = "tiny-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny.py", "WORD = 1")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"tiny.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    lock = tmp_path / "requirements.lock"
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    lock.write_text(f"tiny==1.0 --hash=sha256:{'0' * 64}\n")
    with raises("reproduction.environment_not_made"):
        new_environment.make([lock], tmp_path / "new")
    lock.write_text(f"tiny==1.0 --hash=sha256:{sha256}\n")
    source = tmp_path / "sourced-1.0.tar.gz"
    with tarfile.open(source, "w:gz") as packed:
        for name, text in SOURCED.items():
            member = tarfile.TarInfo(f"sourced-1.0/{name}")
            member.size = len(text.encode())
            packed.addfile(member, io.BytesIO(text.encode()))
    extra = tmp_path / "requirements-more.lock"  # another lock may pin the same package alike
    pin = hashlib.sha256(source.read_bytes()).hexdigest()
    extra.write_text(f"{lock.read_text()}sourced==1.0 --hash=sha256:{pin}\n")
    with raises("reproduction.environment_not_made"):  # its set-up would run
        new_environment.make([lock, extra], tmp_path / "new")
    monkeypatch.setattr(new_environment, "FROM_SOURCE", ("sourced",))
    python = new_environment.make([lock, extra], tmp_path / "new")
    words = [python, "-I", "-c", "import sourced, tiny, sys; print(tiny.WORD, sys.prefix)"]
    result = subprocess.run(words, capture_output=True, text=True, check=True)
    assert result.stdout == f"1 {tmp_path / 'new'}\n"


@pytest.mark.skipif(not sandbox.can_cut_network(), reason="the kernel allows no network of one's own here")
def test_a_process_that_is_cut_off_reaches_nobody() -> None:
    reach = "import socket; socket.create_connection(('127.0.0.1', {port}), 1)"
    with socket.create_server(("127.0.0.1", 0)) as server:
        words = [sys.executable, "-c", reach.format(port=server.getsockname()[1])]
        assert subprocess.run(words, capture_output=True, check=False).returncode == 0
        cut = subprocess.run(words, capture_output=True, check=False, preexec_fn=sandbox.cut_network)
        assert cut.returncode == 1 and b"Error" in cut.stderr
