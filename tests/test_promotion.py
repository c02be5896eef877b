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
    is_melanoma = np.arange(80) < NUM_MELANOMAS
    is_above = np.concatenate([np.arange(40) < num_found, np.arange(40) >= num_spared])
    y_prob = np.zeros((80, len(CODES)))
    y_prob[:, CODES.index("MEL")] = np.where(is_above, 0.75, 0.25)
    y_prob[:, CODES.index("NV")] = np.where(is_above, 0.25, 0.75)
    columns = {
        "image_id": [f"i{row:02d}" for row in range(80)],
        "group_id": [f"g{row:02d}" for row in range(80)],
        "lesion_id": None,
        "source": "made",
        "split": "test",
        "diagnosis": np.where(is_melanoma, "MEL", "NV"),
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
    entry, comparison = promotion.promote(models_in_use, "tiny-1")
    assert comparison is None
    assert registry.in_use(models_in_use) == (entry,)
    assert entry.sha256 == predict.load(models_in_use / "tiny-1").sha256


def test_a_model_that_fails_its_checks_is_not_put_into_use(models_in_use):
    (models_in_use / "champion.json").unlink()
    (models_in_use / "tiny-1" / "golden.npz").write_bytes(b"")
    with pytest.raises(ModelError, match=r"golden\.npz"):
        promotion.promote(models_in_use, "tiny-1")
    assert registry.champion(models_in_use) is None


def test_an_equal_candidate_is_put_into_use(models_dir):
    add(models_dir, "equal", measured(36))
    entry, comparison = promotion.promote(models_dir, "equal")
    assert comparison == promotion.Comparison(80, NUM_MELANOMAS, 0.0, 0.0, 0.0)
    assert registry.champion(models_dir) == entry
    assert [e.model_id for e in registry.in_use(models_dir)] == ["equal", "champion", "tiny-1"]
    assert predict.load_in_use(models_dir)[0].card.model_id == "equal"


def test_a_better_candidate_is_put_into_use_with_its_differences(models_dir):
    add(models_dir, "better", measured(40, num_spared=32))
    _, comparison = promotion.promote(models_dir, "better")
    assert comparison.sensitivity_change == pytest.approx(4 / 40)
    assert comparison.specificity_change == pytest.approx(2 / 40)
    assert 0 <= comparison.lower_bound < comparison.sensitivity_change


def test_each_model_is_measured_at_its_own_threshold(models_dir):
    add(models_dir, "stricter", measured(40, num_spared=40), threshold=0.8)
    comparison = promotion.compare(models_dir, "champion", "stricter")
    assert comparison.sensitivity_change == pytest.approx(-36 / 40)
    assert comparison.specificity_change == pytest.approx(10 / 40)


def test_a_worse_candidate_is_refused_and_the_champion_stays(models_dir):
    before = (models_dir / "champion.json").read_bytes()
    add(models_dir, "worse", measured(30, num_spared=40))
    with pytest.raises(ModelError, match=r"differs by -15\.0 points.*“champion” goes on answering"):
        promotion.promote(models_dir, "worse")
    assert (models_dir / "champion.json").read_bytes() == before
    model, problem = predict.load_in_use(models_dir)
    assert (model.card.model_id, problem) == ("champion", None)


def test_a_loss_that_cannot_be_ruled_out_is_refused_even_when_none_was_seen(models_dir):
    # Four melanomas found more and four others lost: no change, but a wide interval.
    order = np.arange(80)
    order[[32, 33, 34, 35, 36, 37, 38, 39]] = [36, 37, 38, 39, 32, 33, 34, 35]
    ids = [f"i{row:02d}" for row in order]
    groups = [f"g{row:02d}" for row in order]
    add(models_dir, "other", measured(36, changed={"image_id": ids, "group_id": groups}))
    comparison = promotion.compare(models_dir, "champion", "other")
    assert comparison.sensitivity_change == 0
    assert comparison.lower_bound < -promotion.MARGIN
    assert not comparison.is_no_worse
    with pytest.raises(ModelError, match="cannot be ruled out"):
        promotion.promote(models_dir, "other")


def test_the_margin_itself_is_allowed_and_an_undefined_bound_is_not():
    comparison = promotion.Comparison(80, 40, 0.0, -promotion.MARGIN, 0.0)
    assert comparison.is_no_worse
    assert not dataclasses.replace(comparison, lower_bound=-0.0301).is_no_worse
    assert not dataclasses.replace(comparison, lower_bound=float("nan")).is_no_worse


def test_photographs_of_one_lesion_are_resampled_together(models_dir):
    groups = [f"g{row // 20}" for row in range(80)]  # two lesions with melanoma
    add(models_dir, "champion-2", measured(36, changed={"group_id": groups}))
    add(models_dir, "candidate-2", measured(35, changed={"group_id": groups}))
    comparison = promotion.compare(models_dir, "champion-2", "candidate-2")
    assert comparison.sensitivity_change == pytest.approx(-1 / 40)
    assert comparison.lower_bound == pytest.approx(-1 / 20)  # the lesion that lost one, twice


@pytest.mark.parametrize(
    "changed",
    [
        {"image_id": [f"j{row:02d}" for row in range(80)]},
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
    comparison = promotion.compare(models_dir, "champion", "backwards")
    assert (comparison.sensitivity_change, comparison.lower_bound) == (0, 0)


@pytest.mark.parametrize("num_melanomas", [0, 1])
def test_too_few_melanomas_to_compare_are_said_to_be(models_dir, num_melanomas):
    changed = {"diagnosis": ["MEL"] * num_melanomas + ["NV"] * (80 - num_melanomas)}
    for model_id in ("few-1", "few-2"):
        add(models_dir, model_id, measured(40, changed=changed))
    with pytest.raises(ModelError, match=f"hold {num_melanomas} melanoma; two lesions at least"):
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
    assert {card.model_id for card in registry.list_cards(models_dir)} == {
        "champion", "next", "tiny-1",
    }  # fmt: skip
