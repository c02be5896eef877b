"""What is said of a training before it starts: its classes, and what a trainer should know."""

from melanoma_core.models.cards import DatasetUse
from melanoma_core.runs import preview
from melanoma_core.runs.configs import TrainConfig
from melanoma_core.runs.plans import RunPlan
from tests.support import made_sets, stub_models

FOLDERS = {
    "Train": {"melanoma": 20, "nevus": 20, "dermatofibroma": 6, "vascular lesion": 1},
    "Test": {"melanoma": 4, "nevus": 4, "seborrheic keratosis": 2},
}


def look(root, card=None, folders=FOLDERS):
    made_sets.made(
        root,
        *(
            f"{split}/{folder}/{split}{folder[:3]}{number:02d}.jpg"
            for split, numbers in folders.items()
            for folder, num_files in numbers.items()
            for number in range(num_files)
        ),
    )
    return preview.outlook(RunPlan(TrainConfig(), (str(root),)), [], card)


def the_one(warnings, words):
    (found,) = (warning for warning in warnings if words in warning)
    return found


def test_counts_are_by_split_and_foreign_folder_names_are_told(tmp_path):
    found = look(tmp_path, folders={**FOLDERS, "Train": {**FOLDERS["Train"], "nv": 5}})
    assert found.num_files == 62
    assert sum(counts.sum() for counts in found.counts.values()) == 62
    assert found.counts["test"].tolist() == [4, 4, 0, 0, 0, 0, 2, 1, 0, 0]
    assert found.renamed == {"nv": "Nevus"}
    assert not found.refusals


def test_diagnoses_without_photographs_of_a_split_are_named(tmp_path):
    warnings = look(tmp_path).warnings
    assert the_one(warnings, "not measured").endswith(": Vascular lesion.")
    assert the_one(warnings, "but not in training").endswith(": Seborrheic keratosis.")
    assert "Vascular lesion" in the_one(warnings, "neither calibration")
    assert "referral threshold" in the_one(warnings, "Validation has")


def test_diagnoses_that_are_new_to_the_model_or_missing_in_the_data_are_named(tmp_path):
    card = stub_models.card(
        class_counts={"train": {"MEL": 9, "NV": 9, "BCC": 9}, "val": {}, "test": {}}
    )
    warnings = look(tmp_path, card).warnings
    assert the_one(warnings, "“nine-2026-11-14” was not trained on: ").endswith(
        ": Dermatofibroma, Vascular lesion."
    )
    assert the_one(warnings, "no training photographs").endswith(": Basal cell carcinoma.")


def test_a_fine_tuned_model_is_described_by_its_own_training_alone(tmp_path):
    card = stub_models.card(
        class_counts={"train": {"MEL": 9, "NV": 9}, "val": {}, "test": {}},
        inherited_datasets=(DatasetUse("clinic", "", "", 40, 0, 0),),
    )
    warnings = look(tmp_path, card).warnings
    assert the_one(warnings, "“nine-2026-11-14” was not itself trained on: ")
