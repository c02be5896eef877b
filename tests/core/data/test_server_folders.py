"""Data sets by path: what lies below the one folder, and nothing else."""

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


def test_what_was_unpacked_here_are_folders_and_a_folder_that_is_missing_holds_none(root):
    assert server_folders.imported(root) == ["b-set"]
    assert server_folders.imported(root / "missing") == []


def test_a_path_below_is_found_at_any_depth(root):
    assert server_folders.below(root, "b-set/part") == (root / "b-set" / "part").resolve()


@pytest.mark.parametrize("given", ["..", "../sets-2", "/etc", "", " ", ".", "missing", "a\0b"])
def test_everything_else_is_refused_without_a_path_of_the_machine(root, given):
    (root.parent / "sets-2").mkdir()
    with pytest.raises(DatasetError, match="is no folder or zip below") as refused:
        server_folders.below(root, given)
    assert str(root) not in str(refused.value)


def test_a_link_that_leads_out_is_refused(root, tmp_path):
    (root / "out").symlink_to(tmp_path)
    with pytest.raises(DatasetError, match="“out” is no folder"):
        server_folders.below(root, "out")


def test_a_folder_that_is_gone_is_a_clear_refusal(tmp_path):
    with pytest.raises(DatasetError, match="cannot be read"):
        server_folders.names(tmp_path / "gone")
    with pytest.raises(DatasetError, match="is no folder"):
        server_folders.below(tmp_path / "gone", "a")


def test_paths_are_off_until_a_folder_is_named_and_on_a_public_demo(monkeypatch, tmp_path):
    monkeypatch.delenv("MELANOMA_SERVER_DATA", raising=False)
    assert paths.server_data_dir() is None
    monkeypatch.setenv("MELANOMA_SERVER_DATA", str(tmp_path))
    assert paths.server_data_dir() == tmp_path
    monkeypatch.setenv("MELANOMA_DEMO", "1")
    assert paths.server_data_dir() is None
    monkeypatch.setenv("MELANOMA_DEMO", "0")
    assert paths.server_data_dir() == tmp_path
