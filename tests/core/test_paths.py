"""Folders set by environment variables, atomic writes, and locks."""

import os
import sys
from pathlib import Path

import pytest

from melanoma_core import paths


@pytest.mark.parametrize("name", ["models", "datasets", "runs"])
def test_folders_are_in_the_project_unless_a_variable_sets_them(name, monkeypatch):
    place = getattr(paths, f"{name}_dir")
    variable = f"MELANOMA_{name.upper()}"
    monkeypatch.delenv(variable, raising=False)
    assert place() == paths.PROJECT_DIR / name
    monkeypatch.setenv(variable, "~/elsewhere")
    assert place() == Path.home() / "elsewhere"
    monkeypatch.setenv(variable, "")
    assert place() == paths.PROJECT_DIR / name


@pytest.mark.parametrize(
    ("module", "name", "place"),
    [(paths, "PROJECT_DIR", Path("/mount/src/melanoma")), (sys, "prefix", "/home/adminuser/venv")],
    ids=["app", "python"],
)
def test_an_app_on_community_cloud_is_a_demo_unless_a_variable_says_otherwise(
    monkeypatch, module, name, place
):
    monkeypatch.delenv("MELANOMA_DEMO", raising=False)
    assert not paths.is_demo()
    monkeypatch.setattr(module, name, place)
    assert paths.is_on_community_cloud()
    assert paths.is_demo()
    for value, is_demo in (("0", False), ("false", False), ("", True), ("1", True)):
        monkeypatch.setenv("MELANOMA_DEMO", value)
        assert paths.is_demo() is is_demo


def test_a_variable_makes_any_server_a_demo(monkeypatch):
    monkeypatch.setenv("MELANOMA_DEMO", "1")
    assert paths.is_demo()
    assert not paths.is_on_community_cloud()


def test_sha256_of_the_standards_example():
    assert paths.sha256(b"abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def test_a_written_file_replaces_the_old_one_and_is_readable_by_others(tmp_path):
    path = tmp_path / "file.json"
    path.write_bytes(b"old and longer")
    paths.write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "chmod", "replace"])
def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, step):
    path = tmp_path / "file.json"
    path.write_bytes(b"old")

    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="No space left"):
        paths.write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["folder", "file"])
def test_a_lock_has_one_holder_at_a_time(tmp_path, name):
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
    creates = name == "file"
    with (
        paths.locked(path, creates=creates),
        pytest.raises(BlockingIOError),
        paths.locked(path, creates=creates, waits=False),
    ):
        pass
    with paths.locked(path, creates=creates, waits=False):
        pass


def test_shared_locks_exclude_only_an_exclusive_one(tmp_path):
    path = tmp_path / "file"
    path.touch()
    with (
        paths.locked(path, is_shared=True),
        paths.locked(path, is_shared=True, waits=False),
        pytest.raises(BlockingIOError),
        paths.locked(path, waits=False),
    ):
        pass


def test_a_missing_lock_file_is_made_only_if_asked(tmp_path):
    with pytest.raises(FileNotFoundError), paths.locked(tmp_path / "file"):
        pass
    with paths.locked(tmp_path / "file", creates=True):
        pass
    assert (tmp_path / "file").read_bytes() == b""
