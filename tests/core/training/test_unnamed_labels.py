"""Photographs that are benign without a name, from their table to a model and its figures."""

import shutil
from types import SimpleNamespace

import pytest

from melanoma_core.evaluation import evaluate, model_cards, subgroups
from melanoma_core.models import predict, store
from melanoma_core.runs.plans import RunPlan
from melanoma_core.training import pipeline
from tests.support import made_models
from ui import card_tables

NUM_EACH = 20  # melanomas, nevi, and lesions without a name


@pytest.fixture(scope="module")
def challenge(tmp_path_factory):
    return made_models.draw_challenge(tmp_path_factory.mktemp("set") / "challenge", NUM_EACH)


@pytest.fixture(scope="module")
def run(challenge, tmp_path_factory):
    """One finished training of the tiny network."""
    root = tmp_path_factory.mktemp("run")
    plan = RunPlan(made_models.CONFIG, (str(challenge),))
    card = pipeline.run(plan, root / "tiny-9", root / "models", lambda line: None)
    return SimpleNamespace(card=card, models_dir=root / "models", plan=plan)


def evaluation_of(run, model_id):
    _, _, contents = store.read_files(store.model_dir(run.models_dir, model_id))
    return evaluate.from_json(contents["evaluation.json"])


def test_training_counts_them_as_benign_and_says_so(run):
    counts = run.card.class_counts["train"]
    assert set(counts) >= {"MEL", "NV", "BENIGN"}
    assert counts["BENIGN"] > 0
    note = (
        f"Trained only to be benign, as no table names their diagnosis: {counts['BENIGN']} files."
    )
    assert note in run.card.notes
    assert predict.load(run.models_dir / "tiny-9").card == run.card


def test_they_count_for_melanoma_and_for_no_other_figure(run):
    measured = evaluation_of(run, "tiny-9")
    test = measured.where((measured.table["split"] == "test").to_numpy())
    num_named, num_unnamed = len(test.named), len(test) - len(test.named)
    assert num_unnamed > 0
    figures = run.card.figures["isic2020"]
    assert figures["accuracy"].num_photographs == figures["ece"].num_photographs == num_named
    assert figures["melanoma_auroc"].num_photographs == len(test)
    num_others = int((test.is_melanoma == 0).sum())
    assert figures["specificity"].num_photographs == num_others > num_unnamed
    assert run.card.differential.coverage.num_photographs == num_named
    assert subgroups.confusion(test).sum() == num_named


def test_the_model_card_lists_them(run):
    text = model_cards.document(run.card, evaluation_of(run, "tiny-9"), "0" * 64)
    counts = [str(run.card.class_counts[split]["BENIGN"]) for split in ("train", "val", "test")]
    assert f"| Benign, not named | {' | '.join(counts)} |" in text


def test_a_new_last_layer_leaves_them_out_of_training_alone(run, challenge, tmp_path):
    models_dir = shutil.copytree(run.models_dir, tmp_path / "models")
    plan = RunPlan(
        made_models.CONFIG, (str(challenge),), recipe="head", parents=("tiny-9",), split_by="model"
    )
    card = pipeline.run(plan, tmp_path / "head-9", models_dir, lambda line: None)
    num_train = card.class_counts["train"]["BENIGN"]
    note = f"Left out of training, as no table names their diagnosis: {num_train} files."
    assert note in card.notes
    assert card.figures["all"]["melanoma_auroc"].num_photographs == (
        run.card.figures["all"]["melanoma_auroc"].num_photographs
    )


def test_tables_of_figures_say_how_many_are_named(run):
    named = [run.card.figures[source]["accuracy"].num_photographs for source in ("all", "isic2020")]
    table = card_tables.figures(run.card)
    assert table["Figure"][-1] == "Photographs whose diagnosis is named"
    assert table["All"][-1] == str(named[0])
    assert card_tables.class_counts(run.card)["Diagnosis"][-2:] == ["Benign, not named", "All"]
