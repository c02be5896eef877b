"""The command line: what goes to stdout and stderr, exit codes, and nothing of a patient left."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from melanoma_core.__main__ import main
from melanoma_core.data import datasets
from melanoma_core.data import splits as splitting
from melanoma_core.diagnoses import CODES
from melanoma_core.evaluation import evaluate, formats
from melanoma_core.images import reading, synthetic
from melanoma_core.metrics import calibration, estimates
from melanoma_core.models import cards, predict, store
from melanoma_core.runs import lifecycle
from melanoma_core.runs.plans import write_plan
from melanoma_core.training import recalibrate
from melanoma_core.training import train as training
from tests.support import altered_models, made_candidates, made_models

PROJECT = Path(__file__).resolve().parents[3]
FIELDS = {
    "file", "model_id", "probabilities", "melanoma_probability", "malignant_probability",
    "threshold", "above_threshold", "intended_use",
}  # fmt: skip


def invoke(*arguments: object):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def lines_of(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def child(*arguments: object, **environment: object) -> subprocess.CompletedProcess[str]:
    """`python -m melanoma_core` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "melanoma_core", *map(str, arguments)],
        cwd=PROJECT,
        env=os.environ | {name: str(value) for name, value in environment.items()},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def in_use(trained_models, monkeypatch):
    """The tiny model, in use; the folder is only read."""
    monkeypatch.setenv("MELANOMA_MODELS", str(trained_models))
    return predict.load(trained_models / "tiny-1")


def save(path: Path, seed: int = 0, side: int = 96) -> Path:
    Image.fromarray(synthetic.lesion(seed, (side, side))).save(path)
    return path


def bad_files(folder: Path) -> list[Path]:
    """Seven files that are no photographs, each in its own way."""
    whole = reading.jpeg(synthetic.lesion(1, (96, 96)))
    contents = {
        "empty.jpg": b"",
        "cut off.jpg": whole[: len(whole) // 2],
        "text.png": b"no picture at all",
        "small.png": reading.png(np.zeros((20, 20, 3), np.uint8)),
        "page.jpg": b"<!doctype html><title>x</title>",
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    (folder / "folder.jpg").mkdir()
    return [*(folder / name for name in contents), folder / "folder.jpg", folder / "not there.jpg"]


def test_a_hundred_photographs_with_seven_bad_ones_get_a_line_each_in_order(in_use, tmp_path):
    paths = [save(tmp_path / f"lesion {row}.png", seed=row, side=64) for row in range(93)]
    bad = bad_files(tmp_path)
    for place, path in zip((0, 10, 11, 40, 77, 98, 99), bad, strict=True):
        paths.insert(place, path)
    assert len(paths) == 100
    done = child("assess", "--json", *paths)
    assert done.returncode == 2
    records = lines_of(done.stdout)
    assert [record["file"] for record in records] == [str(path) for path in paths]
    refused = [record for record in records if "error" in record]
    assert [record["file"] for record in refused] == [str(path) for path in bad]
    # LiteRT itself says once which kernels it uses.
    messages = [line for line in done.stderr.splitlines() if not line.startswith("INFO: ")]
    assert messages == [record["error"] for record in refused]
    for record in refused:
        assert set(record) == {"file", "error"}
        assert f"“{Path(record['file']).name}”" in record["error"]
        assert str(tmp_path) not in record["error"]
    for record, path in zip(records, paths, strict=True):
        if path in bad:
            continue
        assert set(record) == FIELDS
        expected = predict.classify(in_use, reading.read(path.read_bytes()))
        assert record["model_id"] == "tiny-1"
        assert list(record["probabilities"]) == list(CODES)
        np.testing.assert_allclose(
            list(record["probabilities"].values()), expected.probabilities, atol=1e-6
        )
        assert sum(record["probabilities"].values()) == pytest.approx(1, abs=1e-9)
        threshold = in_use.card.operating_point(0.95).threshold
        assert record["threshold"] == threshold
        assert record["melanoma_probability"] == record["probabilities"]["MEL"]
        malignant = [record["probabilities"][code] for code in ("MEL", "BCC", "SCC")]
        assert record["malignant_probability"] == pytest.approx(sum(malignant))
        assert record["above_threshold"] == (record["melanoma_probability"] >= threshold)
        assert record["intended_use"] == cards.INTENDED_USE
    assert len({record.get("melanoma_probability") for record in records}) > 50


def canary_jpeg() -> bytes:
    """A photograph whose EXIF, GPS, comment and XMP name a patient."""
    exif = Image.Exif()
    exif[0x010E] = "CANARY-DESCRIPTION"
    exif[0x013B] = "CANARY-ARTIST"
    exif.get_ifd(0x8769)[0x9286] = "CANARY-COMMENT"
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2] = "N", (48.0, 12.0, 34.5678)
    gps[29] = "CANARY-GPS"
    file = io.BytesIO()
    Image.fromarray(synthetic.lesion(0, (96, 96))).save(
        file, "JPEG", exif=exif, comment=b"CANARY-JPEG", xmp=b"<x>CANARY-XMP</x>"
    )
    data = file.getvalue()
    found = [data.count(f"CANARY-{name}".encode()) for name in ("DESCRIPTION", "GPS", "XMP")]
    assert found == [1, 1, 1]
    return data


def test_what_a_photograph_says_of_its_patient_is_found_nowhere(models_in_use, tmp_path):
    photograph, broken = tmp_path / "a.jpg", tmp_path / "b.jpg"
    photograph.write_bytes(canary_jpeg())
    broken.write_bytes(canary_jpeg()[:-500])
    places = {name: tmp_path / name for name in ("TMPDIR", "HOME", "MELANOMA_RUNS")}
    for place in places.values():
        place.mkdir()
    written = {"models": models_in_use, **places}
    before = {path for folder in written.values() for path in folder.rglob("*")}
    outputs = [
        child("assess", *options, photograph, broken, **places) for options in ((), ("--json",))
    ]
    for done in outputs:
        assert done.returncode == 2
        assert photograph.name in done.stdout
        assert "b.jpg" in done.stderr
        assert "CANARY" not in done.stdout + done.stderr
        assert "34.56" not in done.stdout + done.stderr
    after = {path for folder in written.values() for path in folder.rglob("*")}
    assert after == before
    for path in after:
        assert path.is_dir() or b"CANARY" not in path.read_bytes()


def test_an_assessment_in_words_names_file_verdict_model_and_use(in_use, tmp_path):
    photograph = save(tmp_path / "lesion.png")
    result = invoke("assess", photograph)
    assert result.exit_code == 0
    prediction = predict.classify(in_use, reading.read(photograph.read_bytes()))
    threshold = in_use.card.operating_point().threshold
    side = "above" if prediction.melanoma_probability >= threshold else "below"
    melanoma, likeliest = (
        formats.digits(prediction.probability(code)) for code in ("MEL", prediction.likeliest)
    )
    assert result.stdout == (
        f"{photograph}: {side} the referral threshold for melanoma "
        f"(melanoma {melanoma} %, threshold {formats.digits(threshold)} %); "
        f"likeliest diagnosis {prediction.likeliest} ({likeliest} %); model tiny-1\n"
    )
    assert result.stderr == cards.INTENDED_USE + "\n"


@pytest.mark.parametrize(("threshold", "verdict"), [(0.0, "above"), (1.0, "below")])
def test_the_threshold_of_the_card_decides(models_in_use, tmp_path, threshold, verdict):
    point = store.read_card(models_in_use / "tiny-1").operating_points[0]
    points = (cards.OperatingPoint(**{**vars(point), "threshold": threshold}),)
    altered_models.add(models_in_use, "tiny-1", "tiny-2", {}, operating_points=points)
    photograph = save(tmp_path / "lesion.png")
    words = invoke("assess", "--model", "tiny-2", photograph).stdout
    assert f"threshold {threshold * 100:.0f} %)" in words
    assert f": {verdict} the referral threshold" in words
    (record,) = lines_of(invoke("assess", "--json", "--model", "tiny-2", photograph).stdout)
    assert record["above_threshold"] is (verdict == "above")
    assert record["model_id"] == "tiny-2"


def test_a_hostile_file_name_cannot_steer_the_terminal(in_use, tmp_path):
    photograph = save(tmp_path / "a\x1b[2J\nb\x07.png")
    missing = tmp_path / "c\x1b[2J\nd.png"
    result = invoke("assess", photograph, missing)
    assert result.exit_code == 2
    assert len(result.stdout.splitlines()) == 1
    assert len(result.stderr.splitlines()) == 2
    assert not set(result.output) & {"\x1b", "\x07"}
    record, error = lines_of(invoke("assess", "--json", photograph, missing).stdout)
    assert record["file"] == str(photograph)
    assert "\x1b" not in error["error"]


def test_without_a_model_every_command_says_what_to_do(empty_models, tmp_path):
    photograph = save(tmp_path / "lesion.png")
    drawn = made_models.draw_class_folders(tmp_path / "drawn", num_each=1)
    for arguments in (("assess", photograph), ("evaluate", "--dataset", drawn)):
        result = invoke(*arguments)
        assert result.exit_code == 1
        assert result.stdout == ""
        assert result.stderr == (
            "Error: No model is in use yet. Train one on your data, or put a candidate into use.\n"
        )
    result = invoke("models", "--json")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "Train one: python -m melanoma_core train" in result.stderr
    result = invoke("promote", "anything")
    assert result.exit_code == 1
    assert "There is no model “anything”. The models are: none yet." in result.stderr


def test_a_damaged_model_in_use_gives_way_to_the_previous_one_and_says_so(models_in_use, tmp_path):
    altered_models.add(models_in_use, "tiny-1", "tiny-2", {})
    store.set_champion(models_in_use, "tiny-2")
    (models_in_use / "tiny-2" / "head.npz").write_bytes(b"damaged")
    photograph = save(tmp_path / "lesion.png")
    result = invoke("assess", "--json", photograph)
    assert result.exit_code == 0
    (record,) = lines_of(result.stdout)
    assert record["model_id"] == "tiny-1"
    assert "head.npz of the model “tiny-2”" in result.stderr
    assert "The previous model, tiny-1, answers." in result.stderr
    asked_for = invoke("assess", "--model", "tiny-2", photograph)
    assert asked_for.exit_code == 1
    assert asked_for.stdout == ""


def all_figures(*options: object) -> dict:
    result = invoke("evaluate", "--json", *options)
    assert result.exit_code == 0, result.output
    (record,) = lines_of(result.stdout)
    assert set(record) == {
        "model_id", "split", "threshold", "figures", "refused", "intended_use",
    }  # fmt: skip
    assert record["refused"] == []
    assert list(record["figures"]) == ["all", "drawn"]
    return record["figures"]["all"]


def test_evaluate_gives_the_figures_of_the_card_on_the_data_that_it_was_made_with(in_use, tmp_path):
    drawn = made_models.draw_class_folders(tmp_path / "drawn")
    found = all_figures("--dataset", drawn)
    for name, figure in in_use.card.figures["all"].items():
        expected = estimates.to_record(figure)
        assert found[name] == pytest.approx(expected, abs=1e-5), name


def test_evaluate_measures_every_photograph_when_all_are_asked_for(in_use, tmp_path):
    drawn = made_models.draw_class_folders(tmp_path / "drawn", num_each=5)
    table = splitting.assign(datasets.read(drawn).table)
    logits, rows, _ = evaluate.score(in_use.network, table)
    expected = evaluate.figures(
        evaluate.from_table(rows, calibration.probabilities(logits, in_use.card.temperature)),
        in_use.card.class_counts["train"],
        in_use.card.operating_point().threshold,
    )
    found = all_figures("--dataset", drawn, "--split", "all")
    assert found == {name: estimates.to_record(figure) for name, figure in expected.items()}
    assert found["accuracy"]["num_photographs"] == 20


def test_evaluate_keeps_to_the_splits_of_the_model_however_they_were_made(models_in_use, tmp_path):
    # As if the model had been trained with a split file: other photographs than a draw gives.
    drawn = made_models.draw_class_folders(tmp_path / "drawn", num_each=5)
    table = datasets.read(drawn).table
    table = table.assign(
        split=["val", "test", "train", "test", "test"] * 4, group_id="one", lesion_id="one"
    )
    part = table[table["split"] != "train"].reset_index(drop=True)
    own = evaluate.to_json(evaluate.from_table(part, np.full((len(part), 9), 1 / 9)))
    altered_models.add(models_in_use, "tiny-1", "tiny-2", {"evaluation.json": own.encode()})
    asked = ("--dataset", drawn, "--model", "tiny-2")
    for split, num_photographs in (("val", 4), ("test", 12)):
        figure = all_figures(*asked, "--split", split)["accuracy"]
        assert figure["num_photographs"] == num_photographs
        assert figure["num_lesions"] == 1  # the model's own, not the folder's


def test_evaluate_refuses_photographs_that_the_model_was_not_tested_on(in_use, tmp_path):
    (tmp_path / "others" / "nevus").mkdir(parents=True)
    for row in range(3):
        save(tmp_path / "others" / "nevus" / f"own{row}.png", seed=row, side=64)
    result = invoke("evaluate", "--dataset", tmp_path / "others")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "None of these 3 photographs is in the test split of tiny-1." in result.stderr
    assert "--split all" in result.stderr
    result = invoke("evaluate", "--dataset", tmp_path / "others", "--split", "train")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--split train needs --splits" in result.stderr


def test_evaluate_names_what_it_left_out_and_shows_undefined_figures_as_such(in_use, tmp_path):
    drawn = tmp_path / "drawn"
    (drawn / "nevus").mkdir(parents=True)
    for row in range(6):
        save(drawn / "nevus" / f"n{row}.png", seed=row, side=64)
    (drawn / "nevus" / "n3.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    result = invoke("evaluate", "--dataset", drawn, "--split", "all")
    assert result.exit_code == 0, result.output
    assert "n3.png" in result.stderr
    assert "all: 5 photographs, 5 lesions" in result.stdout
    assert "n/a (n/a to n/a)" in result.stdout
    assert "nan" not in result.stdout
    (record,) = lines_of(
        invoke("evaluate", "--json", "--dataset", drawn, "--split", "all").stdout
    )  # fmt: skip
    assert "n3.png" in record["refused"][0]
    assert record["figures"]["all"]["melanoma_auroc"]["value"] is None


def test_models_are_listed_with_the_one_in_use_marked(models_in_use):
    altered_models.add(models_in_use, "tiny-1", "tiny-0", {}, created="2020-01-01")
    in_words = invoke("models")
    first, second = in_words.stdout.splitlines()
    assert first.startswith("* tiny-1  tiny 32 px  melanoma AUROC 0.")
    assert second.startswith("  tiny-0 ")
    records = lines_of(invoke("models", "--json").stdout)
    assert [(r["model_id"], r["in_use"]) for r in records] == [("tiny-1", True), ("tiny-0", False)]
    card = store.read_card(models_in_use / "tiny-0")
    assert records[1] == {**json.loads(card.to_json()), "in_use": False}


def test_promote_puts_an_equal_model_into_use_and_says_what_was_compared(models_in_use):
    altered_models.add(models_in_use, "tiny-1", "tiny-2", {})
    result = invoke("promote", "tiny-2")
    assert result.exit_code == 0, result.output
    assert re.match(r"On \d+ test photographs, 3 of melanoma, against “tiny-1”: ", result.stdout)
    for figure in ("sensitivity", "melanoma AUROC", "specificity"):
        assert f"{figure} +0.000 (at worst " in result.stdout
    assert "tiny-2 is in use since " in result.stdout
    assert store.champion(models_in_use).model_id == "tiny-2"
    again = invoke("promote", "tiny-2")
    assert again.exit_code == 1
    assert "in use already" in again.stderr


def test_promote_says_when_there_was_no_sound_model_to_compare_with(models_in_use):
    altered_models.add(models_in_use, "tiny-1", "tiny-2", {})
    (models_in_use / "tiny-1" / "head.npz").write_bytes(b"damaged")
    result = invoke("promote", "tiny-2")
    assert result.exit_code == 0, result.output
    assert "head.npz of the model “tiny-1”" in result.stderr
    assert "Not compared: none of the models that were in use is sound, so tiny-2" in result.stdout
    (models_in_use / "champion.json").unlink()
    assert "Not compared: no model was in use, so tiny-2" in invoke("promote", "tiny-2").stdout


def test_a_model_is_overruled_with_a_reason_and_taken_back_and_both_stand_in_the_journal(
    champion_in_use,
):
    for model_id in ("tiny-1", "champion"):  # as before there was a journal: both without a kind
        store.set_champion(champion_in_use, model_id)
    made_candidates.add(champion_in_use, "worse", made_candidates.measured(20))
    refused = invoke("promote", "worse", "--by", "Dr Li")
    assert refused.exit_code == 1
    assert "“worse” was not put into use: it may be worse." in refused.stderr
    assert invoke("promote", "worse", "--overrule", "").exit_code == 1
    done = invoke("promote", "worse", "--by", "Dr Li", "--overrule", "Asked for by the study")
    assert done.exit_code == 0, done.output
    assert "Overruled: “worse” was not put into use: it may be worse." in done.stdout
    assert store.champion(champion_in_use).model_id == "worse"
    back = invoke("rollback", "--by", "Dr Ng")
    assert back.exit_code == 0, back.output
    assert back.stdout.startswith("champion is in use since 20")
    listed = invoke("journal").stdout.splitlines()
    assert "overruled  worse  by Dr Li  Asked for by the study" in listed[0]
    assert "rolled back  champion  by Dr Ng" in listed[1]
    assert invoke("journal", "--verify").exit_code == 0
    assert invoke("rollback", "nobody").exit_code == 1


def test_a_damaged_card_is_named_and_the_other_models_are_listed(models_in_use):
    altered_models.add(models_in_use, "tiny-1", "tiny-2", {})
    (models_in_use / "tiny-2" / "card.json").write_text("{")
    for options in ((), ("--json",)):
        result = invoke("models", *options)
        assert result.exit_code == 0
        assert len(result.stdout.splitlines()) == 1
        assert result.stderr.startswith("tiny-2: The model’s card cannot be read")


def test_no_other_command_changes_the_model_in_use(models_in_use, tmp_path):
    altered_models.add(models_in_use, "tiny-1", "tiny-2", {})
    before = (models_in_use / "champion.json").read_bytes()
    photograph = save(tmp_path / "lesion.png")
    drawn = made_models.draw_class_folders(tmp_path / "drawn", num_each=2)
    for arguments in (
        ("assess", "--model", "tiny-2", photograph),
        ("evaluate", "--model", "tiny-2", "--dataset", drawn, "--split", "all"),
        ("models",),
    ):
        assert invoke(*arguments).exit_code == 0
        assert (models_in_use / "champion.json").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "Name at least one data set"),
        (("--dataset", "."), "The image size is 0 px"),
        (("--network", "resnet_9000"), "resnet_9000"),
    ],
)
def test_a_mistaken_training_is_refused_before_anything_is_made(
    tmp_path, monkeypatch, options, message
):
    monkeypatch.setenv("MELANOMA_RUNS", str(tmp_path / "runs"))
    result = invoke("train", *options, "--image-size", "0")
    assert result.exit_code in (1, 2)
    assert message in result.stderr
    assert not (tmp_path / "runs").exists()


@pytest.fixture
def plans(monkeypatch):
    """The plans that `train` was asked to carry out; nothing is trained."""
    given = []
    card = SimpleNamespace(model_id="tiny-1", figures={})
    monkeypatch.setattr(lifecycle, "carry_out", lambda plan, *others: given.append(plan) or card)
    return given


def test_class_weights_take_the_place_of_drawing_rare_classes_more(plans):
    assert invoke("train", "--dataset", ".", "--class-weights").exit_code == 0
    assert invoke("train", "--dataset", ".").exit_code == 0
    told = [(plan.config.class_weights, plan.config.balance) for plan in plans]
    assert told == [(True, "none"), (False, "sqrt")]
    refused = invoke("train", "--dataset", ".", "--class-weights", "--balance", "sqrt")
    assert refused.exit_code == 1
    assert "balance is “sqrt”" in refused.stderr
    assert len(plans) == 2


def test_clean_table_is_taught_unless_that_is_switched_off(plans):
    assert invoke("train", "--dataset", ".").exit_code == 0
    options = ("--no-clean", "--split-by", "model", "--from-model", "tiny-0")
    assert invoke("train", "--dataset", ".", *options).exit_code == 0
    told = [(plan.is_cleaned, plan.split_by, plan.from_model) for plan in plans]
    assert told == [(True, "given", None), (False, "model", "tiny-0")]


def test_stopped_run_goes_on_as_it_was_and_takes_no_other_options(plans, tmp_path):
    run_dir = tmp_path / "run-1"
    write_plan(run_dir, made_models.plan(tmp_path))
    assert invoke("train", "--run-dir", run_dir).exit_code == 0
    assert plans == [made_models.plan(tmp_path)]
    refused = invoke("train", "--run-dir", run_dir, "--epochs", "3", "--from-model", "tiny-1")
    assert refused.exit_code == 2
    told = " ".join(refused.stderr.split())
    assert "so --epochs, --from-model would change nothing" in told
    refused = invoke("train", "--run-dir", run_dir, "--join", "tiny-1")
    assert "so --join would change nothing" in " ".join(refused.stderr.split())
    assert len(plans) == 1


def test_quick_training_takes_network_size_and_splits_of_the_model_in_use(plans, models_in_use):
    assert invoke("train", "--dataset", ".", "--quick").exit_code == 0
    assert invoke("train", "--dataset", ".", "--quick", "--split-by", "drawn").exit_code == 0
    assert [plan.split_by for plan in plans] == ["model", "drawn"]
    told = {(plan.from_model, plan.config.network, plan.config.image_size) for plan in plans}
    assert told == {("tiny-1", "tiny", 32)}


def test_soft_targets_are_half_of_what_is_taught_unless_told_otherwise(plans, tmp_path):
    (tmp_path / "soft.csv").touch()
    given = ("--teacher-probs", tmp_path / "soft.csv")
    for options in ((), given, (*given, "--distill-weight", "0.2")):
        assert invoke("train", "--dataset", ".", *options).exit_code == 0
    assert [plan.config.distill_weight for plan in plans] == [0, 0.5, 0.2]
    assert [plan.soft_targets for plan in plans] == [None, *[str(tmp_path / "soft.csv")] * 2]


JOIN = ("--from-model", "tiny-1", "--join", "tiny-2")
ANEW = ("--from-model", "tiny-1", "--recalibrate")


each_untaught = pytest.mark.parametrize("way", [JOIN, ANEW], ids=["join", "recalibrate"])


@each_untaught
def test_untaught_models_are_measured_as_the_first_one_was_unless_told_otherwise(
    way, plans, tmp_path
):
    (tmp_path / "splits.csv").touch()
    for options in ((), ("--split-by", "drawn"), ("--splits", tmp_path / "splits.csv")):
        assert invoke("train", "--dataset", ".", *way, *options).exit_code == 0
    assert [plan.split_by for plan in plans] == ["model", "drawn", "given"]
    expected = ("tiny-1", "tiny-2" if way is JOIN else None, way is ANEW)
    assert {(plan.from_model, plan.joined_with, plan.is_recalibration) for plan in plans} == {
        expected
    }


@each_untaught
def test_what_teaches_nothing_heeds_seed_cleaning_and_names(way, plans, tmp_path):
    options = ("--seed", "3", "--no-clean", "--by", "Ada", "--run-dir", tmp_path / "both")
    assert invoke("train", "--dataset", ".", *way, *options).exit_code == 0
    (plan,) = plans
    assert (plan.config.seed, plan.is_cleaned) == (3, False)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--quick",), "so --quick would"),
        (
            ("--weights", ".", "--init-weight", "0.5", "--epochs", "99", "--image-size", "224"),
            "so --weights, --init-weight, --epochs, --image-size would",
        ),
        (("--network", "tiny", "--class-weights"), "so --network, --class-weights would"),
    ],
)
@each_untaught
def test_options_that_are_not_heeded_are_named_and_refused(way, plans, options, named):
    refused = invoke("train", "--dataset", ".", *way, *options)
    assert refused.exit_code == 2
    assert named in " ".join(refused.stderr.split())
    assert not plans


@pytest.mark.parametrize(
    "option", [("--weights", "."), ("--distill-weight", "1"), ("--epochs", "9")]
)
def test_quick_training_refuses_what_only_full_training_heeds(option, plans):
    refused = invoke("train", "--dataset", ".", "--quick", *option)
    assert refused.exit_code == 2
    assert f"so {option[0]} would change nothing" in " ".join(refused.stderr.split())
    assert not plans


def test_quick_training_heeds_balance_and_what_every_making_of_a_model_does(
    plans, models_in_use, tmp_path
):
    options = ("--from-model", "tiny-1", "--balance", "floor:40", "--balance-by", "weights")
    options += ("--seed", "3", "--no-clean", "--by", "Ada", "--run-dir", tmp_path / "quick")
    assert invoke("train", "--dataset", ".", "--quick", *options).exit_code == 0
    (plan,) = plans
    told = (plan.config.balance, plan.config.balance_by, plan.config.seed, plan.is_cleaned)
    assert told == ("floor:40", "weights", 3, False)


def test_limits_of_colors_are_set_where_a_network_is_made_or_calibrated_anew(plans, models_in_use):
    for options in (ANEW, ("--weights", "."), ()):
        ran = invoke("train", "--dataset", ".", *options, "--clamp-color-cast")
        assert ran.exit_code == 0, ran.stderr
    assert invoke("train", "--dataset", ".", *ANEW).exit_code == 0
    assert [plan.config.clamp_color_cast for plan in plans] == [True, True, True, False]
    for options in (JOIN, ("--quick",)):
        refused = invoke("train", "--dataset", ".", *options, "--clamp-color-cast")
        assert "so --clamp-color-cast would change nothing" in " ".join(refused.stderr.split())


@pytest.mark.parametrize("options", [ANEW, ()], ids=["recalibrate", "train"])
def test_notes_of_tensorflow_are_silenced_before_it_can_load(options, monkeypatch):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL")
    levels = []

    def make(*_):
        levels.append(os.environ.get("TF_CPP_MIN_LOG_LEVEL"))
        return SimpleNamespace(model_id="tiny-2", figures={})

    monkeypatch.setattr(recalibrate, "make", make)
    monkeypatch.setattr(training, "make", make)
    monkeypatch.setattr(lifecycle, "carry_out", lambda _, __, ___, work, ____: work())
    assert invoke("train", "--dataset", ".", *options).exit_code == 0
    assert levels == ["3"]


def test_join_and_recalibration_exclude_each_other(plans):
    refused = invoke("train", "--dataset", ".", *JOIN, "--recalibrate")
    assert "so --recalibrate would change nothing" in " ".join(refused.stderr.split())
    assert not plans


@pytest.mark.parametrize("option", [("--join", "tiny-2"), ("--recalibrate",)])
def test_without_a_model_to_begin_with_nothing_is_made(option, plans):
    refused = invoke("train", "--dataset", ".", *option)
    assert refused.exit_code == 2
    assert "--from-model" in refused.stderr
    assert not plans
