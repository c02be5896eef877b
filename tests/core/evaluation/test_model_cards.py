"""The model card as a document: complete, in agreement with card.json, and up to date."""

import dataclasses
import math
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from melanoma_core import paths
from melanoma_core.cli.main import main
from melanoma_core.diagnoses import CODES, DIAGNOSES
from melanoma_core.errors import ModelError
from melanoma_core.evaluation import evaluate, model_cards, operating_points, subgroups
from melanoma_core.evaluation.formats import measured_on, percent_estimate, score_estimate
from melanoma_core.models import cards, store
from melanoma_core.models.cards import DatasetUse
from tests.support import stub_models
from tests.support.made_evaluations import drawn, made, spread

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "model-card.md"
SHA256 = "c0" * 32
TRAIN = dict.fromkeys(CODES, 100)


def card_of(measured, **changes):
    """A card whose figures are those of this evaluation."""
    val, test = (measured.where((measured.table["split"] == s).to_numpy()) for s in ("val", "test"))
    points = tuple(operating_points.operating_point(val, test, target) for target in (0.95, 0.90))
    fields = {
        "operating_points": points,
        "differential": evaluate.differential(val, test),
        "figures": evaluate.figures_by_source(test, TRAIN, points[0].threshold),
        "class_counts": dict.fromkeys(("train", "val", "test"), TRAIN),
        "config": {"epochs": 3, "augment": {"hue_degrees": 12.0}},
        "files": dict.fromkeys(store.FILES, "ab" * 32),
    }
    return stub_models.card(**(fields | changes))


@pytest.fixture(scope="module")
def measured():
    rng = np.random.default_rng(3)
    return drawn(
        600,
        split=np.where(np.arange(600) % 6 < 2, "val", "test"),
        sex=rng.choice(np.array(["female", "male"], dtype=object), 600),
        age_approx=rng.choice([5.0, 45.0, np.nan], 600),
    )


@pytest.fixture(scope="module")
def card(measured):
    return card_of(measured)


@pytest.fixture(scope="module")
def text(card, measured):
    return model_cards.document(card, measured, SHA256)


def sections(text):
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows(section):
    """Cells of every row of the section's tables, by the first cell."""
    lines = [line[2:-2].split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return {cells[0]: cells[1:] for cells in lines}


def test_the_document_has_every_section(text):
    assert list(sections(text)) == [
        "Intended use", "Not for", "Network", "Data", "Data coverage", "Referral thresholds",
        "Figures on test photographs", "By diagnosis", "By subgroup", "Calibration",
        "Differential", "Where it fails", "Training", "Versions", "Checksums",
    ]  # fmt: skip
    assert text.startswith("# Model card: nine-2026-11-14\n")
    assert cards.INTENDED_USE in sections(text)["Intended use"]
    assert "does not rule melanoma out" in sections(text)["Intended use"]
    for item in cards.NOT_FOR:
        assert f"- {item}\n" in sections(text)["Not for"]
    assert "14 Nov 2026" in text


def test_figures_are_those_of_the_card_for_each_data_set_and_all(card, text):
    found = rows(sections(text)["Figures on test photographs"])
    assert found["Figure"] == ["HAM10000", "ISIC 2017", "All"]
    columns = [card.figures[source] for source in ("ham10000", "isic2017", "all")]
    assert found["AUROC, both keratoses together"] == [
        score_estimate(figures["keratoses_auroc"]) for figures in columns
    ]
    assert found["AUROC, melanoma"] == [score_estimate(f["melanoma_auroc"]) for f in columns]
    assert found["AUROC, mean of the classes"] == [
        score_estimate(f["macro_auroc"]) for f in columns
    ]
    assert found["Calibration error (ECE)"] == [score_estimate(f["ece"]) for f in columns]
    for name, key in {
        "Accuracy": "accuracy",
        "Balanced accuracy": "balanced_accuracy",
        "Balanced accuracy, prior-adjusted": "prior_adjusted_balanced_accuracy",
        "Sensitivity for melanoma": "sensitivity",
        "Specificity": "specificity",
    }.items():
        assert found[name] == [percent_estimate(figures[key]) for figures in columns]
    assert found["Photographs"] == ["266", "134", "400"]
    assert found["Lesions"][2] == str(card.figures["all"]["accuracy"].num_lesions)


def test_a_data_set_with_few_test_photographs_has_no_column(measured):
    table = measured.table.copy()
    table.loc[table.index[table["split"] == "test"][:49], "source"] = "isic9"
    few = dataclasses.replace(measured, table=table)
    found = sections(model_cards.document(card_of(few), few, SHA256))
    assert rows(found["Figures on test photographs"])["Figure"] == ["HAM10000", "ISIC 2017", "All"]
    assert "isic9" in rows(found["By subgroup"])


def test_thresholds_have_numbers_of_photographs_and_lesions(card, text):
    section = sections(text)["Referral thresholds"]
    named = [("Melanoma", point) for point in card.operating_points]
    named += [("Carcinoma", point) for point in card.carcinoma_points]
    assert len(named) == 4
    for name, point in named:
        start = f"| {name} | {point.target:.0%} |".replace("%", "\u202f%")
        (row,) = [line for line in section.splitlines() if line.startswith(start)]
        for figure in (point.sensitivity, point.specificity):
            assert f"{percent_estimate(figure)}; {measured_on(figure)}" in row
        chosen_on = f"{point.val_photographs} photographs of {point.val_lesions} {name.lower()}s"
        assert chosen_on in row
    (rule,) = card.referral_rules
    (row,) = [line for line in section.splitlines() if line.startswith("| Either |")]
    assert percent_estimate(rule.sensitivity) in row


def test_below_100_melanomas_the_width_of_the_interval_is_given(card, measured):
    few, enough = stub_models.operating_point(val_lesions=99), stub_models.operating_point()
    claims = []
    for point in (few, enough):
        text = model_cards.document(
            dataclasses.replace(card, operating_points=(point,), carcinoma_points=()),
            measured,
            SHA256,
        )
        claims.append(sections(text)["Referral thresholds"].strip().splitlines()[-1])
    assert claims[0] == (
        "- The threshold for melanoma with a target of 95\u202f% was chosen on 99 melanomas and "
        "tested on 197. With fewer than 100 melanomas, no such sensitivity is claimed: the true "
        "one lies between 91 and 97\u202f%, an interval 6 points wide."
    )
    assert claims[1] == (
        "- The threshold for melanoma with a target of 95\u202f% was chosen on 130 melanomas and "
        "tested on 197; its interval is not below 95\u202f%."
    )


def test_a_sensitivity_above_its_interval_is_not_claimed_however_many_melanomas(card, measured):
    sensitivity = dataclasses.replace(
        stub_models.operating_point().sensitivity, value=0.9, low=0.87, high=0.93
    )
    point = dataclasses.replace(stub_models.operating_point(), sensitivity=sensitivity)
    text = model_cards.document(
        dataclasses.replace(card, operating_points=(point,)), measured, SHA256
    )
    assert "As its interval is below 95\u202f%, no such sensitivity is claimed" in text


def test_merged_diagnoses_follow_their_parts(measured, text):
    test = measured.where((measured.table["split"] == "test").to_numpy())
    found = rows(sections(text)["By diagnosis"])
    expected = subgroups.by_diagnosis(test)
    names = {diagnosis.code: diagnosis.name for diagnosis in DIAGNOSES} | {
        "BKL": "Both keratoses (pigmented benign, seborrheic) together",
        "AKIEC": "Actinic keratosis and squamous cell carcinoma together",
    }
    assert set(found) == {"Diagnosis", ":--", *names.values()}
    for code, name in names.items():
        assert found[name] == [
            score_estimate(expected[code].auroc), percent_estimate(expected[code].sensitivity),
            str(expected[code].num_photographs), str(expected[code].num_lesions),
        ]  # fmt: skip


def test_subgroups_say_what_is_not_recorded(text):
    section = sections(text)["By subgroup"]
    found = rows(section)
    for value in ("HAM10000", "ISIC 2017", "female", "male", "0–9", "40–49", "back"):
        assert value in found
    assert "not recorded" in found  # an age
    assert found["male"][0].startswith("0.")
    assert "**Skin tone is not recorded**" in section


def test_the_auroc_of_a_subgroup_with_few_melanomas_is_left_out(measured):
    table = measured.table.copy()
    is_test, is_melanoma = table["split"] == "test", table["diagnosis"] == "MEL"
    table["anatom_site_general"] = "back"
    table.loc[table.index[is_test & is_melanoma][:3], "anatom_site_general"] = "scalp"
    table.loc[table.index[is_test & ~is_melanoma][:60], "anatom_site_general"] = "scalp"
    few = dataclasses.replace(measured, table=table)
    found = rows(sections(model_cards.document(card_of(few), few, SHA256))["By subgroup"])
    of_scalp = table[is_test & is_melanoma & (table["anatom_site_general"] == "scalp")]
    num_lesions = of_scalp["lesion_id"].nunique()
    assert num_lesions > 1
    assert found["scalp"][0] == f"too few: {num_lesions} lesions"
    assert found["scalp"][2].startswith("3 (")
    assert found["back"][0].startswith("0.")


def test_calibration_is_shown_before_and_after(card, measured, text):
    test = measured.where((measured.table["split"] == "test").to_numpy())
    before = evaluate.calibration_figures(
        evaluate.before_calibration(test, card.temperature, card.class_bias)
    )
    found = rows(sections(text)["Calibration"])
    assert found["Calibration error (ECE)"] == [
        score_estimate(before["ece"]), score_estimate(card.figures["all"]["ece"]),
    ]  # fmt: skip
    assert found["Brier score"][0] == score_estimate(before["brier"])
    assert found["Brier score"][0] != found["Brier score"][1]
    assert f"Temperature {card.temperature:.3f}" in sections(text)["Calibration"]


def test_class_biases_are_listed_if_there_are_any(card, measured):
    biased = dataclasses.replace(card, class_bias=(-0.65, *[0.0] * 7, 0.5))
    section = sections(model_cards.document(biased, measured, SHA256))["Calibration"]
    assert "after adding a bias to the logit of each diagnosis (MEL −0.65, NV +0.00," in section
    plain = dataclasses.replace(card, class_bias=())
    assert "bias" not in sections(model_cards.document(plain, measured, SHA256))["Calibration"]


def test_differential_says_what_it_was_chosen_on_and_its_test_results(card, text):
    section, facts = sections(text)["Differential"], card.differential
    assert f"{facts.val_melanomas} validation photographs of melanomas" in section
    assert f"the other {facts.val_photographs} validation photographs" in section
    level = f"{facts.level:.0%}".replace("%", "\u202f%")
    assert f"in {level} of melanoma photographs and in {level} of the others" in section
    cells = rows(section)
    assert cells["True diagnosis included"][0] == percent_estimate(facts.coverage)
    assert cells["True diagnosis included, melanomas only"][0] == percent_estimate(
        facts.melanoma_coverage
    )
    assert cells["Diagnoses listed, mean"][0] == score_estimate(facts.mean_size, 2)
    (review,) = [row for name, row in cells.items() if name.startswith("For review")]
    assert review[0] == percent_estimate(facts.review_share)


def test_data_coverage_is_that_of_the_card(text):
    section = sections(text)["Data coverage"]
    assert "- Age (years): 0–9: 12; 40–49: 2,100; 70–79: 900; 90+: 4; not recorded: 90." in section
    assert "- Source: HAM10000: 3,066; my\\*set\\*: 40." in section
    assert "- Skin tone: not recorded: 3,106." in section
    assert "Groups with fewer than 20 are treated as not seen" in section


def test_color_cast_limits_are_given_if_there_are_any(card, measured):
    limited = dataclasses.replace(
        card, color_cast_limits=(0.0, 0.6931, -0.6931, 0.0953), config={"clamp_color_cast": True}
    )
    section = sections(model_cards.document(limited, measured, SHA256))["Data coverage"]
    assert (
        "red is kept within 1.00 to 2.00 times mean green, and mean blue within 0.50 to 1.10"
        in section
    )
    assert "One in twenty training photographs lies beyond each" in section
    inherited = dataclasses.replace(limited, config={"clamp_color_cast": False})
    section = sections(model_cards.document(inherited, measured, SHA256))["Data coverage"]
    assert "One in twenty of the photographs they were taken from lies beyond each" in section
    assert "cast" not in sections(model_cards.document(card, measured, SHA256))["Data coverage"]


def test_failures_by_hand():
    nevus, other = spread("NV", 0.9), spread("MEL", 0.9)
    test = [other] * 9 + [nevus] * 3 + [nevus] * 4 + [other] * 2
    measured = made(
        ["MEL"] * 2 + ["NV"] * 2 + ["MEL"] * 12 + ["NV"] * 6,
        [other, other, nevus, nevus, *test],
        split=["val"] * 4 + ["test"] * 18,
        sex=["male"] * 4 + ["female"] * 10 + ["male"] * 8,
        age_approx=[10.0 * (row % 9) for row in range(22)],
        anatom_site_general=[f"site {row}" for row in range(22)],
    )
    section = sections(model_cards.document(card_of(measured), measured, SHA256))["Where it fails"]
    assert "- 3 of 12 melanoma photographs are below the threshold for a target" in section
    assert "Nevus is the likeliest diagnosis in 3 of 12 melanoma photographs, melanoma in 2 of 6 " \
        "nevus photographs." in section  # fmt: skip
    # Nine of ten melanomas of women are found; the two of men are too few to be ranked, like those
    # of each age and site.
    worst = next(line for line in section.splitlines() if "Lowest sensitivity" in line)
    assert re.findall(r"(\w+ \w+): (\d+)\u202f%", worst) == [
        ("source made", "75"),
        ("sex female", "90"),
    ]
    assert "Lowest specificity, of subgroups with at least 50 other lesions: no subgroup is that " \
        "large." in section  # fmt: skip


def test_the_document_has_settings_history_versions_and_checksums(text):
    found = sections(text)
    settings = rows(found["Training"])
    assert settings["augment: hue degrees"] == ["12.0"]
    assert settings["3"][:2] == ["0.400", "0.433"]  # loss and validation loss of the third epoch
    assert rows(found["Versions"])["keras"] == ["3.15.1"]
    assert rows(found["Checksums"])["card.json"] == [f"`{SHA256}`"]
    assert set(store.FILES) < set(rows(found["Checksums"]))


def test_a_model_without_history_says_so(card, measured):
    text = model_cards.document(dataclasses.replace(card, history=()), measured, SHA256)
    assert "were not recorded" in sections(text)["Training"]


def test_markdown_in_text_from_outside_is_escaped(card, measured):
    odd = dataclasses.replace(
        card,
        datasets=(DatasetUse("a|b", "<b>free</b>", "ab", 1, 2, 3),),
        notes=("[link](x) | # heading\n## another",),
    )
    text = model_cards.document(odd, measured, SHA256)
    assert "| a\\|b | \\<b\\>free\\</b\\> | 1 | 2 | 3 |" in text
    assert "- \\[link\\](x) \\| \\# heading \\#\\# another\n" in text


def test_data_sets_of_parent_models_are_listed_with_their_license(card, measured, text):
    inherited = (DatasetUse("clinic", "CC BY-NC 4.0", "ab", 1200, 2, 3),)
    child = dataclasses.replace(card, inherited_datasets=inherited)
    found = sections(model_cards.document(child, measured, SHA256))
    assert "| clinic (from parent models) | CC BY-NC 4.0 | 1,200 | – | – | `ab` |" in found["Data"]
    note = "Data sets marked “from parent models” are not counted here."
    assert note in found["Data coverage"]
    assert "from parent models" not in text


def test_words_that_promise_too_much_are_avoided(text):
    for word in ("confidence", "positive", "suspicious", "safe", "unseen", "precision", "nan"):
        assert not re.search(rf"\b{word}\b", text, re.IGNORECASE), word


@pytest.mark.parametrize(
    "name",
    [
        "operating_points", "figures", "class_counts", "datasets", "split_sha256", "seen",
        "config", "versions", "intended_use", "not_for", "files",
    ],
)  # fmt: skip
def test_a_card_with_an_empty_field_is_refused(card, measured, name):
    emptied = dataclasses.replace(card, **{name: type(getattr(card, name))()})
    with pytest.raises(ModelError, match=f"model card of .* cannot be written: it lacks {name}"):
        model_cards.document(emptied, measured, SHA256)


@pytest.mark.parametrize("figure", ["melanoma_auroc", "keratoses_auroc", "ece", "sensitivity"])
@pytest.mark.parametrize("source", ["all", "isic2017"])
def test_a_card_without_a_figure_is_refused(card, measured, source, figure):
    figures = {name: dict(part) for name, part in card.figures.items()}
    del figures[source][figure]
    with pytest.raises(ModelError, match=f"it lacks {figure}"):
        model_cards.document(dataclasses.replace(card, figures=figures), measured, SHA256)


@pytest.mark.parametrize(
    ("field", "key"), [("class_counts", "val"), ("seen", "skin_tone"), ("figures", "all")]
)
def test_a_card_without_a_part_is_refused(card, measured, field, key):
    part = {name: value for name, value in getattr(card, field).items() if name != key}
    with pytest.raises(ModelError, match=f"it lacks {key}"):
        model_cards.document(dataclasses.replace(card, **{field: part}), measured, SHA256)


def test_a_missing_figure_of_an_epoch_is_refused_and_an_undefined_one_is_not_known(card, measured):
    epoch = dict(card.history[0])
    undefined = dataclasses.replace(card, history=(epoch | {"val_melanoma_auroc": math.nan},))
    assert "| not known |" in model_cards.document(undefined, measured, SHA256)
    del epoch["val_loss"]
    with pytest.raises(ModelError, match="it lacks val_loss"):
        model_cards.document(dataclasses.replace(card, history=(epoch,)), measured, SHA256)


def test_an_evaluation_without_test_photographs_is_refused(card, measured):
    val = measured.where((measured.table["split"] == "val").to_numpy())
    with pytest.raises(ModelError, match="it lacks test photographs"):
        model_cards.document(card, val, SHA256)


# The command


@pytest.fixture
def models_dir(card, measured, tmp_path, monkeypatch):
    """A folder with two models, the second one in use."""
    folder = tmp_path / "models"
    monkeypatch.setenv("MELANOMA_MODELS", str(folder))
    for model_id in ("first", "second"):
        stub_models.add(folder, dataclasses.replace(card, model_id=model_id), evaluation=measured)
    return folder


def expected_document(directory):
    card, card_sha256, contents = store.read_files(directory)
    return model_cards.document(card, evaluate.from_json(contents["evaluation.json"]), card_sha256)


def test_command_prints_the_card_of_the_model_in_use(models_dir):
    done = CliRunner().invoke(main, ["card"])
    assert (done.exit_code, done.stdout) == (0, expected_document(models_dir / "second"))


def test_command_writes_the_card_of_the_model_that_is_named(models_dir, tmp_path):
    path = tmp_path / "model-card.md"
    done = CliRunner().invoke(main, ["card", "first", "--output", str(path)])
    assert (done.exit_code, done.stdout) == (0, "")
    assert path.read_text() == expected_document(models_dir / "first")


def test_command_says_what_is_wrong(models_dir, tmp_path, monkeypatch):
    nowhere = tmp_path / "none" / "card.md"
    done = CliRunner().invoke(main, ["card", "--output", str(nowhere)])
    assert done.exit_code == 1
    assert "card.md cannot be written: No such file or directory" in done.stderr
    (models_dir / "second" / "evaluation.json").write_text("{}")
    done = CliRunner().invoke(main, ["card"])
    assert done.exit_code == 1
    assert "evaluation.json" in done.stderr
    monkeypatch.setenv("MELANOMA_MODELS", str(tmp_path / "empty"))
    done = CliRunner().invoke(main, ["card"])
    assert done.exit_code == 1
    assert "There is no champion yet" in done.stderr


# What is shipped


@pytest.fixture
def shipped():
    """Folder of the model that is in use in this checkout."""
    models_dir = paths.PROJECT_DIR / "models"
    if not (models_dir / "champion.json").exists():
        pytest.skip("No model is shipped with this checkout.")
    return models_dir / store.champions(models_dir)[0].model_id


def test_shipped_document_describes_the_champion(shipped):
    """Update it with `python -m melanoma_core card --output docs/model-card.md`."""
    assert DOCUMENT.read_text(encoding="utf-8") == expected_document(shipped)


def test_shipped_differential_includes_the_true_diagnosis_as_often_as_designed(shipped):
    """Within two standard errors, SE² = p(1 − p)(1/n_cal + 1/n_test), in all and in melanomas."""
    facts = store.read_card(shipped).differential
    num_val = facts.val_photographs + facts.val_melanomas
    for figure, num_chosen_on in (
        (facts.coverage, num_val),
        (facts.melanoma_coverage, facts.val_melanomas),
    ):
        variance = facts.level * (1 - facts.level)
        error = math.sqrt(variance * (1 / num_chosen_on + 1 / figure.num_photographs))
        assert abs(figure.value - facts.level) <= 2 * error
