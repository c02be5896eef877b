"""Data sets on the server: only paths inside its folder are accepted."""

import pytest

from melanoma_core import paths
from melanoma_core.data import server_folders
from melanoma_core.errors import DatasetError


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "sets"
    for folder in ("b-set/part", ".hidden"):
        (root / folder).mkdir(parents=True)
    for name in ("a.zip", "notes.txt", ".x.zip"):
        (root / name).touch()
    return root


def test_folders_and_zips_are_listed_by_name(root):
    assert server_folders.names(root) == ["a.zip", "b-set"]


def test_uploaded_sets_are_folders_and_a_missing_parent_has_none(root):
    assert server_folders.imported_names(root) == ["b-set"]
    assert server_folders.imported_names(root / "missing") == []


def test_a_path_inside_is_found_at_any_depth(root):
    assert server_folders.resolve(root, "b-set/part") == (root / "b-set" / "part").resolve()


@pytest.mark.parametrize("name", ["..", "../sets-2", "/etc", "", " ", ".", "missing", "a\0b"])
def test_everything_else_is_refused_without_showing_a_path(root, name):
    (root.parent / "sets-2").mkdir()
    with pytest.raises(DatasetError, match="is not a folder or zip in") as refused:
        server_folders.resolve(root, name)
    assert str(root) not in str(refused.value)


def test_a_link_to_the_outside_is_refused(root, tmp_path):
    (root / "out").symlink_to(tmp_path)
    with pytest.raises(DatasetError, match="“out” is not a folder"):
        server_folders.resolve(root, "out")


def test_a_missing_server_folder_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="cannot be read"):
        server_folders.names(tmp_path / "gone")
    with pytest.raises(DatasetError, match="is not a folder"):
        server_folders.resolve(tmp_path / "gone", "a")


def test_server_paths_are_off_without_a_folder_and_on_a_public_demo(monkeypatch, tmp_path):
    monkeypatch.delenv("MELANOMA_SERVER_DATA", raising=False)
    assert paths.server_data_dir() is None
    monkeypatch.setenv("MELANOMA_SERVER_DATA", str(tmp_path))
    assert paths.server_data_dir() == tmp_path
    monkeypatch.setenv("MELANOMA_DEMO", "1")
    assert paths.server_data_dir() is None
    monkeypatch.setenv("MELANOMA_DEMO", "0")
    assert paths.server_data_dir() == tmp_path
