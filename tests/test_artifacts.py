"""Files are written whole or not at all, byte-stable, and read by digest."""

import hashlib
from pathlib import Path

import pytest

from clearance import files as artifacts
from tests.support import codes


def test_digest_is_sha256_of_the_content(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc" * 1_000_000)
    assert artifacts.sha256(path) == hashlib.sha256(b"abc" * 1_000_000).hexdigest()


def test_a_folders_digest_sees_names_and_content(tmp_path: Path) -> None:
    def folder(name: str, files: dict[str, str]) -> str:
        for file, text in files.items():
            (tmp_path / name / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / file).write_text(text)
        return artifacts.sha256(tmp_path / name)

    same = folder("one", {"a": "1", "b/c": "2"})
    assert folder("two", {"b/c": "2", "a": "1"}) == same
    assert folder("three", {"a": "1", "b/d": "2"}) != same
    assert folder("four", {"a": "1", "b/c": "3"}) != same


def test_a_missing_file_is_an_integrity_error(tmp_path: Path) -> None:
    with codes.raises("files.missing", path=tmp_path / "none"):
        artifacts.sha256(tmp_path / "none")
    with codes.raises("files.missing", path=tmp_path / "none"):
        artifacts.read_json(tmp_path / "none")


def test_verify_refuses_other_content(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("1")
    digest = artifacts.sha256(path)
    assert artifacts.verify(path, digest) == path
    path.write_text("2")
    with codes.raises("files.changed", path=path):
        artifacts.verify(path, digest)


def test_json_is_byte_stable_and_never_holds_nan(tmp_path: Path) -> None:
    artifacts.write_json(tmp_path / "a.json", {"b": 1, "a": [0.1, None]})
    artifacts.write_json(tmp_path / "b.json", {"a": [0.1, None], "b": 1})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        artifacts.write_json(tmp_path / "a.json", {"a": float("nan")})
    assert artifacts.read_json(tmp_path / "a.json")["b"] == 1


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": Infinity}', '{"a": 1', ""])
def test_unreadable_json_is_an_integrity_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with codes.raises("files.not_json"):
        artifacts.read_json(tmp_path / "a.json")


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(RuntimeError), artifacts.replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_failed_folder_leaves_the_old_folder_and_no_litter(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / "old").write_text("old")
    with pytest.raises(RuntimeError), artifacts.replacing_folder(folder) as temporary:
        (temporary / "new").write_text("half")
        raise RuntimeError
    assert [p.name for p in folder.iterdir()] == ["old"]
    assert [p.name for p in tmp_path.iterdir()] == ["f"]
    with artifacts.replacing_folder(folder) as temporary:
        (temporary / "new").write_text("whole")
    assert [p.name for p in folder.iterdir()] == ["new"]
