"""The command line: what goes to stdout and stderr, exit codes, and nothing of a patient left."""

import getpass
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from melanoma_core import __version__
from melanoma_core.cli.main import main
from melanoma_core.data import datasets
from melanoma_core.data import splits as splitting
from melanoma_core.diagnoses import CODES
from melanoma_core.evaluation import evaluate, formats
from melanoma_core.images import reading, synthetic
from melanoma_core.metrics import calibration, estimates
from melanoma_core.models import cards, predict, store
from tests.support import altered_models, earlier_models, made_candidates, made_models

PROJECT = Path(__file__).resolve().parents[3]
REASON = ("--reason", "Made for this test")
FIELDS = {
    "file", "model_id", "probabilities", "melanoma_probability", "malignant_probability",
    "threshold", "above_threshold", "carcinoma_probability", "carcinoma_threshold",
    "above_carcinoma_threshold", "referred", "verdict", "checks", "intended_use",
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
        assert record["carcinoma_probability"] == pytest.approx(sum(malignant[1:]))
        carcinoma = in_use.card.carcinoma_point(0.95).threshold
        assert record["carcinoma_threshold"] == carcinoma
        is_above = record["carcinoma_probability"] >= carcinoma
        assert record["above_carcinoma_threshold"] == is_above
        assert record["referred"] == (record["above_threshold"] or is_above)
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
    points = in_use.card.operating_point(), in_use.card.carcinoma_point()
    assert prediction.melanoma_probability < points[0].threshold
    assert prediction.carcinoma_probability < points[1].threshold
    melanoma, carcinoma, likeliest, *thresholds = (
        formats.digits(value)
        for value in (
            prediction.melanoma_probability, prediction.carcinoma_probability,
            prediction.probability(prediction.likeliest), *(point.threshold for point in points),
        )
    )  # fmt: skip
    assert result.stdout == (
        f"{photograph}: below both referral thresholds (melanoma {melanoma} %, threshold "
        f"{thresholds[0]} %; carcinoma {carcinoma} %, threshold {thresholds[1]} %); "
        f"likeliest diagnosis {prediction.likeliest} ({likeliest} %); model tiny-1\n"
    )
    assert result.stderr == cards.INTENDED_USE + "\n"


@pytest.mark.parametrize(("threshold", "verdict"), [(0.0, "above"), (1.0, "below")])
def test_the_threshold_of_the_card_decides(models_in_use, tmp_path, threshold, verdict):
    point = store.read_card(models_in_use / "tiny-1").operating_points[0]
    points = (cards.OperatingPoint(**{**vars(point), "threshold": threshold}),)
    altered_models.add(
        models_in_use, "tiny-1", "tiny-2", {}, operating_points=points, carcinoma_points=()
    )
    photograph = save(tmp_path / "lesion.png")
    words = invoke("assess", "--model", "tiny-2", photograph).stdout
    assert f"threshold {threshold * 100:.0f} %)" in words
    assert f": {verdict} the referral threshold" in words
    (record,) = lines_of(invoke("assess", "--json", "--model", "tiny-2", photograph).stdout)
    assert record["above_threshold"] is (verdict == "above")
    assert record["model_id"] == "tiny-2"


def test_photographs_of_one_lesion_get_one_result_from_the_mean_of_their_logits(in_use, tmp_path):
    paths = [save(tmp_path / f"{seed}.png", seed) for seed in (1, 2, 3)]
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    result = invoke("assess", "--json", "--one-lesion", bad, *paths)
    assert result.exit_code == 2
    (record,) = lines_of(result.stdout)
    assert record["files"] == [str(path) for path in paths]
    assert {check["file"] for check in record["checks"]} == set(record["files"])
    alone = [
        predict.classify(in_use, reading.read(path.read_bytes())).melanoma_probability
        for path in paths
    ]
    np.testing.assert_allclose(record["melanoma_probabilities"], alone, atol=1e-6)
    words = invoke("assess", "--one-lesion", bad, *paths).stdout
    assert "; single photographs " in words
    assert words.startswith(", ".join(map(str, paths)))
    assert [refusal["file"] for refusal in record["refused_files"]] == [str(bad)]
    logits = [predict.classify(in_use, reading.read(path.read_bytes())).logits for path in paths]
    expected = calibration.probabilities(np.mean(logits, axis=0), in_use.card.calibration)
    np.testing.assert_allclose(list(record["probabilities"].values()), expected, atol=1e-6)
    (nothing,) = lines_of(invoke("assess", "--json", "--one-lesion", bad).stdout)
    assert nothing.keys() == {"files", "refused_files"}


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
            "Error: No model is in use yet. Train one on your data, or promote a candidate.\n"
        )
    result = invoke("models", "--json")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "Train one: python -m melanoma_core train" in result.stderr
    result = invoke("promote", "anything", *REASON)
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
        evaluate.from_table(rows, calibration.probabilities(logits, in_use.card.calibration)),
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


def test_models_are_listed_with_the_champion_marked(models_in_use):
    altered_models.add(models_in_use, "tiny-1", "tiny-0", {}, created="2020-01-01")
    in_words = invoke("models")
    first, second = in_words.stdout.splitlines()
    assert first.startswith("* tiny-1  tiny 32 px  melanoma AUROC 0.")
    assert second.startswith("  tiny-0 ")
    records = lines_of(invoke("models", "--json").stdout)
    assert [(r["model_id"], r["in_use"]) for r in records] == [("tiny-1", True), ("tiny-0", False)]
    card = store.read_card(models_in_use / "tiny-0")
    assert records[1] == {**json.loads(card.to_json()), "in_use": False}


def test_promote_makes_an_equal_model_the_champion_and_says_what_was_compared(models_in_use):
    altered_models.add(models_in_use, "tiny-1", "tiny-2", {})
    result = invoke("promote", "tiny-2", *REASON)
    assert result.exit_code == 0, result.output
    start = r"Compared with “tiny-1” on \d+ test photographs, 3 of them melanoma: "
    assert re.match(start, result.stdout)
    for figure in ("sensitivity", "melanoma AUROC", "specificity"):
        assert f"{figure} +0.000 (lower limit +0.000, " in result.stdout
    assert "tiny-2 is the champion since " in result.stdout
    assert store.champion(models_in_use).model_id == "tiny-2"
    again = invoke("promote", "tiny-2", *REASON)
    assert again.exit_code == 1
    assert "already in use" in again.stderr


def test_promote_says_when_there_was_no_sound_model_to_compare_with(models_in_use):
    altered_models.add(models_in_use, "tiny-1", "tiny-2", {})
    (models_in_use / "tiny-1" / "head.npz").write_bytes(b"damaged")
    result = invoke("promote", "tiny-2", *REASON)
    assert result.exit_code == 0, result.output
    assert "head.npz of the model “tiny-1”" in result.stderr
    assert "Not compared: none of the earlier champions is sound, so tiny-2" in result.stdout
    (models_in_use / "champion.json").unlink()
    result = invoke("promote", "tiny-2", *REASON)
    assert "Not compared: there was no champion, so tiny-2" in result.stdout


def test_a_model_is_promoted_by_force_and_rolled_back_and_both_are_in_the_journal(
    champion_in_use,
):
    made_candidates.add(champion_in_use, "worse", made_candidates.measured(20))
    refused = invoke("promote", "worse", "--author", "Dr Li", *REASON)
    assert refused.exit_code == 1
    assert "“worse” fails the safety check: it may be worse." in refused.stderr
    for command in (("promote", "worse", "--force"), ("rollback",)):
        without_reason = invoke(*command)
        assert without_reason.exit_code == 2
        assert "Missing option '--reason'" in without_reason.stderr
    reason = ("--force", "--reason", "Asked for by the study")
    done = invoke("promote", "worse", "--author", "Dr Li", *reason)
    assert done.exit_code == 0, done.output
    assert "Forced: “worse” fails the safety check: it may be worse." in done.stdout
    assert store.champion(champion_in_use).model_id == "worse"
    back = invoke("rollback", *REASON)
    assert back.exit_code == 0, back.output
    assert back.stdout.startswith("champion is the champion since 20")
    listed = invoke("journal").stdout.splitlines()
    assert "overruled  worse  by Dr Li  Asked for by the study" in listed[0]
    assert f"rolled back  champion  by {getpass.getuser()}  Made for this test" in listed[1]
    assert invoke("journal", "--verify").exit_code == 0
    assert invoke("rollback", "nobody", *REASON).exit_code == 1


def test_a_damaged_card_is_named_and_the_other_models_are_listed(models_in_use):
    altered_models.add(models_in_use, "tiny-1", "tiny-2", {})
    (models_in_use / "tiny-2" / "card.json").write_text("{")
    for options in ((), ("--json",)):
        result = invoke("models", *options)
        assert result.exit_code == 0
        assert len(result.stdout.splitlines()) == 1
        assert result.stderr.startswith("tiny-2: The model’s card cannot be read")


def test_no_other_command_changes_the_champion(models_in_use, tmp_path):
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


def test_version_is_that_of_the_package():
    result = invoke("--version")
    assert (result.exit_code, result.stdout) == (0, f"melanoma {__version__}\n")


def test_every_command_is_listed_and_documented():
    result = invoke("--help")
    for name in (
        "assess", "audit", "card", "ensemble", "evaluate", "journal", "models", "promote",
        "recalibrate", "resume", "rollback", "train", "train-head", "upgrade",
    ):  # fmt: skip
        assert f"\n  {name} " in result.stdout
        assert invoke(name, "--help").exit_code == 0


def test_upgrade_names_what_it_upgraded_and_the_author(models_in_use):
    assert invoke("upgrade").stdout == "Upgraded: no model needed it.\n"
    earlier_models.bring_back(models_in_use, "tiny-1")
    earlier_models.write_champions(models_in_use, "tiny-1")
    result = invoke("upgrade", "--author", "Ada")
    assert (result.exit_code, result.stdout) == (0, "Upgraded: tiny-1.\n")
    assert "upgraded  tiny-1  by Ada" in invoke("journal").stdout
