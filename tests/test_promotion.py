"""A candidate takes the place of the model in use only when it is shown to be no worse."""

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import altered_models
import numpy as np
import pandas as pd
import pytest

from melanoma_core import evaluate, predict, promotion, registry
from melanoma_core.diagnoses import CODES
from melanoma_core.errors import ModelError
from melanoma_core.evaluate import Evaluation

PROJECT = Path(__file__).resolve().parent.parent
NUM_MELANOMAS = 40


def measured(num_found: int, num_spared: int = 30, *, changed: dict | None = None) -> bytes:
    """evaluation.json: 40 melanomas and 40 nevi, so many of them on the right side of 0.5.

    Args:
        num_found: melanomas above the threshold.
        num_spared: nevi below it.
        changed: columns of the test table to replace.
    """
    is_above = np.concatenate([np.arange(40) < num_found, np.arange(40) >= num_spared])
    return scored(np.where(is_above, 0.75, 0.25), changed=changed)


def scored(melanoma: np.ndarray, *, changed: dict | None = None) -> bytes:
    """evaluation.json of these melanoma probabilities: the first half melanomas, then nevi."""
    num = len(melanoma)
    is_melanoma = np.arange(num) < num // 2
    y_prob = np.zeros((num, len(CODES)))
    y_prob[:, CODES.index("MEL")] = melanoma
    y_prob[:, CODES.index("NV")] = 1 - melanoma
    columns = {
        "image_id": [f"i{row:03d}" for row in range(num)],
        "group_id": [f"g{row:03d}" for row in range(num)],
        "lesion_id": None,
        "source": "made",
        "split": "test",
        "diagnosis": np.where(is_melanoma, "MEL", "NV"),
        "age_approx": np.nan,
        "sex": None,
        "anatom_site_general": None,
    }
    table = pd.DataFrame(columns | (changed or {}))
    # Rows of validation that would tip the scales if they were counted.
    val = table.assign(split="val", image_id="v" + table["image_id"], diagnosis="MEL")
    whole = Evaluation(pd.concat([val, table], ignore_index=True), np.concatenate([y_prob, y_prob]))
    return evaluate.to_json(whole).encode()


def add(models_dir: Path, model_id: str, evaluation: bytes, threshold: float = 0.5) -> None:
    card = registry.read_card(models_dir / "tiny-1")
    points = tuple(dataclasses.replace(p, threshold=threshold) for p in card.operating_points)
    files = {"evaluation.json": evaluation}
    altered_models.add(models_dir, "tiny-1", model_id, files, operating_points=points)


@pytest.fixture
def models_dir(models_in_use):
    """A folder where "champion", which finds 36 of 40 melanomas, is in use."""
    add(models_in_use, "champion", measured(36))
    registry.put_into_use(models_in_use, "champion")
    return models_in_use


def test_the_first_model_is_put_into_use_without_a_comparison(models_in_use):
    (models_in_use / "champion.json").unlink()
    promoted = promotion.promote(models_in_use, "tiny-1")
    assert (promoted.comparison, promoted.problems) == (None, ())
    assert registry.in_use(models_in_use) == (promoted.in_use,)
    assert promoted.in_use.sha256 == predict.load(models_in_use / "tiny-1").sha256


def test_a_model_that_fails_its_checks_is_not_put_into_use(models_in_use):
    (models_in_use / "champion.json").unlink()
    (models_in_use / "tiny-1" / "golden.npz").write_bytes(b"")
    with pytest.raises(ModelError, match=r"golden\.npz"):
        promotion.promote(models_in_use, "tiny-1")
    assert registry.champion(models_in_use) is None


def test_an_equal_candidate_is_put_into_use(models_dir):
    add(models_dir, "equal", measured(36))
    promoted = promotion.promote(models_dir, "equal")
    assert (promoted.comparison.champion_id, promoted.comparison.num_photographs) == (
        "champion", 80,
    )  # fmt: skip
    assert promoted.comparison.num_melanomas == NUM_MELANOMAS
    assert [(c.name, c.value, c.lower_bound) for c in promoted.comparison.changes] == [
        ("sensitivity", 0, 0), ("melanoma AUROC", 0, 0), ("specificity", 0, 0),
    ]  # fmt: skip
    assert registry.champion(models_dir) == promoted.in_use
    assert [e.model_id for e in registry.in_use(models_dir)] == ["equal", "champion", "tiny-1"]
    assert predict.load_in_use(models_dir)[0].card.model_id == "equal"


def test_a_better_candidate_is_put_into_use_with_its_differences(models_dir):
    add(models_dir, "better", measured(40, num_spared=32))
    sensitivity, auroc, specificity = promotion.promote(models_dir, "better").comparison.changes
    assert sensitivity.value == pytest.approx(4 / 40)
    assert specificity.value == pytest.approx(2 / 40)
    # Of two scores only: AUROC is the mean of sensitivity and specificity.
    assert auroc.value == pytest.approx(3 / 40)
    for change in (sensitivity, auroc, specificity):
        assert 0 <= change.lower_bound < change.value


def test_each_model_is_measured_at_its_own_threshold(models_dir):
    add(models_dir, "stricter", measured(40, num_spared=40), threshold=0.8)
    changes = promotion.compare(models_dir, "champion", "stricter").changes
    assert [change.value for change in changes] == pytest.approx([-36 / 40, 7 / 40, 10 / 40])


def test_a_worse_candidate_is_refused_and_the_champion_stays(models_dir):
    before = (models_dir / "champion.json").read_bytes()
    add(models_dir, "worse", measured(30, num_spared=40))
    with pytest.raises(ModelError, match="“champion” goes on answering") as refusal:
        promotion.promote(models_dir, "worse")
    for figure in ("sensitivity -0.150 (at worst -0.", "AUROC +0.050 (", "specificity +0.250 ("):
        assert figure in str(refusal.value)
    assert (models_dir / "champion.json").read_bytes() == before
    model, problem = predict.load_in_use(models_dir)
    assert (model.card.model_id, problem) == ("champion", None)


def test_a_loss_that_cannot_be_ruled_out_is_refused_even_when_none_was_seen(models_dir):
    # Four melanomas found more and four others lost: no change, but a wide interval.
    order = np.arange(80)
    order[[32, 33, 34, 35, 36, 37, 38, 39]] = [36, 37, 38, 39, 32, 33, 34, 35]
    ids = [f"i{row:03d}" for row in order]
    groups = [f"g{row:03d}" for row in order]
    add(models_dir, "other", measured(36, changed={"image_id": ids, "group_id": groups}))
    sensitivity = promotion.compare(models_dir, "champion", "other").changes[0]
    assert sensitivity.value == 0
    assert sensitivity.lower_bound < -promotion.SENSITIVITY_MARGIN
    assert not sensitivity.is_no_worse
    with pytest.raises(ModelError, match="was not put into use: it may be worse"):
        promotion.promote(models_dir, "other")


def test_a_candidate_that_refers_everybody_is_refused_though_it_misses_nobody(models_dir):
    add(models_dir, "constant", scored(np.full(80, 0.5)))
    sensitivity, auroc, specificity = promotion.compare(models_dir, "champion", "constant").changes
    assert sensitivity.is_no_worse
    assert sensitivity.value == pytest.approx(4 / 40)
    assert not auroc.is_no_worse
    assert auroc.value == pytest.approx(0.5 - 0.825)
    assert not specificity.is_no_worse
    assert specificity.value == pytest.approx(-30 / 40)
    with pytest.raises(ModelError, match=r"specificity -0\.750 \(at worst"):
        promotion.promote(models_dir, "constant")


def test_a_candidate_that_guesses_is_refused_at_its_own_threshold(models_dir):
    guessed = np.random.default_rng(0).random(80)
    threshold = np.sort(guessed[:40])[2]  # which finds 38 of its 40 melanomas
    add(models_dir, "random", scored(guessed), threshold)
    sensitivity, auroc, specificity = promotion.compare(models_dir, "champion", "random").changes
    assert sensitivity.value == pytest.approx(2 / 40)
    assert not auroc.is_no_worse
    assert not specificity.is_no_worse
    with pytest.raises(ModelError, match="it may be worse"):
        promotion.promote(models_dir, "random")


@pytest.mark.parametrize("worse", ["melanoma AUROC", "specificity"])
def test_each_of_the_figures_alone_can_refuse_a_candidate(models_dir, worse):
    # 200 nevi: the champion has every lesion right, with room on both sides of the threshold.
    sound = np.repeat([0.8, 0.2], 200)
    candidate = sound.copy()
    if worse == "specificity":
        candidate[200:220] = 0.6  # 20 nevi referred in vain, below every melanoma all the same
    else:
        candidate[:40], candidate[200:300] = 0.55, 0.45
        candidate[200:202], candidate[:4] = 0.9, 0.4  # few referrals change, but the order does
    add(models_dir, "sound", scored(sound))
    add(models_dir, "less", scored(candidate))
    changes = promotion.compare(models_dir, "sound", "less").changes
    refused = [change.name for change in changes if not change.is_no_worse]
    assert worse in refused


def test_no_change_is_a_proof_only_where_the_predictions_are_the_same(models_dir):
    z = 1.6448536  # one-sided 95 %
    for num, is_enough in ((80, False), (400, True)):
        scores = np.repeat([0.8, 0.2], num // 2)
        add(models_dir, f"first-{num}", scored(scores))
        add(models_dir, f"same-{num}", scored(scores))
        add(models_dir, f"other-{num}", scored(scores - 0.1))
        same = promotion.compare(models_dir, f"first-{num}", f"same-{num}")
        assert [change.lower_bound for change in same.changes] == [0, 0, 0]
        other = promotion.compare(models_dir, f"first-{num}", f"other-{num}")
        # Wilson's bound of 0 lost lesions of num / 2.
        expected = -(z**2) / (num / 2 + z**2)
        assert [change.value for change in other.changes] == [0, 0, 0]
        assert [change.lower_bound for change in other.changes] == pytest.approx([expected] * 3)
        assert same.is_no_worse
        assert other.is_no_worse is is_enough


def test_the_margin_itself_is_allowed_and_an_undefined_bound_is_not():
    change = promotion.Change("specificity", 0.0, -0.05, promotion.SPECIFICITY_MARGIN)
    assert change.is_no_worse
    assert not dataclasses.replace(change, lower_bound=-0.0501).is_no_worse
    assert not dataclasses.replace(change, lower_bound=float("nan")).is_no_worse


def damage(models_dir: Path, model_id: str) -> None:
    (models_dir / model_id / "network.tflite").write_bytes(b"damaged")


def test_a_damaged_champion_gives_its_place_to_a_model_no_worse_than_the_one_before(models_dir):
    add(models_dir, "second", measured(38))
    promotion.promote(models_dir, "second")
    add(models_dir, "worse", measured(20))
    add(models_dir, "third", measured(36))
    damage(models_dir, "second")
    with pytest.raises(ModelError, match=r"against “champion”.*“champion” goes on answering"):
        promotion.promote(models_dir, "worse")
    promoted = promotion.promote(models_dir, "third")
    assert promoted.comparison.champion_id == "champion"
    (problem,) = promoted.problems
    assert "network.tflite of the model “second”" in problem
    assert registry.champion(models_dir).model_id == "third"


def test_a_champion_whose_card_is_not_the_one_put_into_use_is_passed_over(models_dir):
    text = (models_dir / "champion.json").read_text()
    sha256 = registry.champion(models_dir).sha256
    (models_dir / "champion.json").write_text(text.replace(sha256, "0" * 64))
    promoted = promotion.promote(models_dir, "tiny-1")  # the model before, which answers meanwhile
    assert promoted.comparison.champion_id == "tiny-1"
    assert "card of “champion” was changed" in promoted.problems[0]


def test_where_every_model_that_was_in_use_is_damaged_the_candidate_is_a_first_one(models_dir):
    add(models_dir, "next", measured(20))
    damage(models_dir, "champion")
    (models_dir / "tiny-1" / "evaluation.json").unlink()
    promoted = promotion.promote(models_dir, "next")
    assert promoted.comparison is None
    assert [part in problem for part, problem in zip(
        ("network.tflite of the model “champion”", "“tiny-1” lacks its file evaluation.json"),
        promoted.problems, strict=True,
    )] == [True, True]  # fmt: skip
    assert registry.champion(models_dir).model_id == "next"


def test_photographs_of_one_lesion_are_resampled_together(models_dir):
    groups = [f"g{row // 20}" for row in range(80)]  # two lesions with melanoma
    add(models_dir, "champion-2", measured(36, changed={"group_id": groups}))
    add(models_dir, "candidate-2", measured(35, changed={"group_id": groups}))
    sensitivity = promotion.compare(models_dir, "champion-2", "candidate-2").changes[0]
    assert sensitivity.value == pytest.approx(-1 / 40)
    assert sensitivity.lower_bound == pytest.approx(-1 / 20)  # the lesion that lost one, twice


@pytest.mark.parametrize(
    "changed",
    [
        {"image_id": [f"j{row:03d}" for row in range(80)]},
        {"split": ["test"] * 79 + ["train"]},
        {"diagnosis": ["MEL"] * 39 + ["NV"] * 41},
    ],
    ids=["other photographs", "fewer photographs", "another diagnosis"],
)
def test_a_candidate_measured_on_something_else_is_refused(models_dir, changed):
    add(models_dir, "elsewhere", measured(40, changed=changed))
    with pytest.raises(ModelError, match="not measured on the same test photographs"):
        promotion.promote(models_dir, "elsewhere")
    assert registry.champion(models_dir).model_id == "champion"


def test_the_order_of_the_rows_does_not_matter(models_dir):
    backwards = evaluate.from_json(measured(36))
    order = np.arange(len(backwards))[::-1]
    turned = Evaluation(backwards.table.iloc[order], backwards.y_prob[order])
    add(models_dir, "backwards", evaluate.to_json(turned).encode())
    changes = promotion.compare(models_dir, "champion", "backwards").changes
    assert [(change.value, change.lower_bound) for change in changes] == [(0, 0)] * 3


@pytest.mark.parametrize(
    ("num_melanomas", "few"), [(0, "0 melanoma"), (1, "1 mel"), (79, "1 other")]
)
def test_too_few_lesions_to_compare_are_said_to_be(models_dir, num_melanomas, few):
    changed = {"diagnosis": ["MEL"] * num_melanomas + ["NV"] * (80 - num_melanomas)}
    for model_id in ("few-1", "few-2"):
        add(models_dir, model_id, measured(40, changed=changed))
    with pytest.raises(ModelError, match=f"hold {few}.*; two lesions at least"):
        promotion.compare(models_dir, "few-1", "few-2")


def test_the_model_in_use_and_an_unknown_one_are_refused(models_dir):
    with pytest.raises(ModelError, match="“champion” is in use already, since 20"):
        promotion.promote(models_dir, "champion")
    with pytest.raises(ModelError, match="There is no model “nobody”"):
        promotion.promote(models_dir, "nobody")


# Calls of the operating system that write champion.json; the process dies before or after each.
CALLS = ("tempfile.mkstemp", "os.fsync", "os.chmod", "os.replace")
DYING = """
import os, pathlib, signal, tempfile
from melanoma_core import registry
module, name = {call!r}.split(".")
module = {{"os": os, "tempfile": tempfile}}[module]
original = getattr(module, name)
def dying(*arguments, **options):
    if {before}:
        os.kill(os.getpid(), signal.SIGKILL)
    result = original(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)
    return result
setattr(module, name, dying)
registry.put_into_use(pathlib.Path({models_dir!r}), "next")
"""


def test_the_champion_loads_wherever_promotion_is_killed(models_dir):
    add(models_dir, "next", measured(36))
    before = (models_dir / "champion.json").read_bytes()
    seen = []
    for call in CALLS:
        for is_before in (True, False):
            code = DYING.format(call=call, before=is_before, models_dir=str(models_dir))
            done = subprocess.run(
                [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, timeout=60
            )
            assert done.returncode == -signal.SIGKILL, done.stderr
            model, problem = predict.load_in_use(models_dir)
            assert problem is None
            seen.append(model.card.model_id)
            (models_dir / "champion.json").write_bytes(before)
    assert seen == ["champion"] * 7 + ["next"]
    # What a killed process left aside is no model, and the next promotion goes through.
    assert [name for name in os.listdir(models_dir) if name.startswith(".")]
    promotion.promote(models_dir, "next")
    assert {card.model_id for card in registry.list_cards(models_dir)[0]} == {
        "champion", "next", "tiny-1",
    }  # fmt: skip
