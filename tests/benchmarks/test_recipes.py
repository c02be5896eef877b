"""The table of recipes: one row per run, replaced when the run continues, without folder names."""

from dataclasses import replace

import pytest

from benchmarks.training import recipes
from melanoma_core.errors import RunError
from melanoma_core.images.augmentations import AUGMENTATIONS, AugmentConfig
from melanoma_core.runs import plans
from melanoma_core.runs.configs import TrainConfig

EPOCHS = [
    {"epoch": 1, "loss": 0.9, "val_loss": 0.8, "val_accuracy": 0.5},
    {"epoch": 2, "loss": 0.7, "val_loss": 0.61234, "val_accuracy": 0.75},
]


def made_run(tmp_path, epochs=EPOCHS, weights="/far/away/backbone.h5", **settings):
    """A run folder with a plan and a history."""
    run_dir = tmp_path / "run-1"
    run_dir.mkdir(parents=True, exist_ok=True)
    config = TrainConfig(**settings)
    if not (run_dir / "config.json").exists():
        plans.write_plan(run_dir, plans.RunPlan(config, ("/far/away/set.zip",), None, weights))
    if epochs:
        plans.write_history(run_dir, epochs)
    return run_dir


def test_a_row_has_the_recipe_and_the_last_epoch(tmp_path):
    row = recipes.row_of(made_run(tmp_path, epochs=EPOCHS, image_size=176, seed=3, mixup=0.2))
    assert tuple(row) == recipes.COLUMNS
    assert row["run_id"] == "run-1"
    assert (row["image_size"], row["seed"], row["mixup"]) == ("176", "3", "0.2")
    assert (row["epochs"], row["epochs_done"]) == ("12", "2")
    assert (row["val_loss"], row["val_accuracy"]) == ("0.6123", "0.7500")
    assert row["val_melanoma_auroc"] == ""  # this run did not record it


def test_settings_without_a_column_are_listed_if_they_differ_from_the_default(tmp_path):
    assert recipes.row_of(made_run(tmp_path / "a"))["others"] == ""
    changed = recipes.row_of(made_run(tmp_path / "b", dropout=0.5, label_smoothing=0.0))
    assert changed["others"] == "label_smoothing 0.0, dropout 0.5"


def test_a_row_names_no_folder_of_the_machine(tmp_path):
    row = recipes.row_of(made_run(tmp_path))
    assert row["start"] == "backbone.h5"
    assert not [cell for cell in row.values() if "/" in cell]


def test_a_run_without_a_finished_epoch_has_a_row_without_figures(tmp_path):
    row = recipes.row_of(made_run(tmp_path, epochs=[], weights=None))
    assert (row["epochs_done"], row["val_loss"], row["start"]) == ("0", "", "nothing")


@pytest.mark.parametrize(
    ("augment", "name"),
    [
        (AUGMENTATIONS["mild"], "mild"),
        (AUGMENTATIONS["none"], "none"),
        (AugmentConfig(noise=0, jpeg=0), "strong without noise, jpeg"),
        (replace(AUGMENTATIONS["mild"], sharpen=0), "mild without sharpen"),
        (AugmentConfig(blur=9), "custom"),
    ],
)
def test_an_augmentation_is_named_after_the_closest_preset(tmp_path, augment, name):
    assert recipes.row_of(made_run(tmp_path, augment=augment))["augment"] == name


def test_a_continued_run_replaces_its_row_and_others_stay(tmp_path):
    old = recipes.row_of(made_run(tmp_path, epochs=EPOCHS[:1]))
    other = old | {"run_id": "run-0"}
    path = tmp_path / "recipes.csv"
    path.write_text(recipes.to_csv([old, other]))
    rows = recipes.updated(recipes.read(path), [recipes.row_of(made_run(tmp_path))])
    assert [(row["run_id"], row["epochs_done"]) for row in rows] == [("run-1", "2"), ("run-0", "1")]


def test_a_written_table_is_read_back_unchanged(tmp_path):
    row = recipes.row_of(made_run(tmp_path))
    (tmp_path / "recipes.csv").write_text(recipes.to_csv([row]))
    assert recipes.read(tmp_path / "recipes.csv") == [row]


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(RunError, match="holds no training run"):
        recipes.row_of(tmp_path)
