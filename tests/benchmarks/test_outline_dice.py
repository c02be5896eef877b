"""Dice of a model's outlines: of what it draws, and 0 where it draws nothing."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmarks.accuracy import outline_dice
from melanoma_core.errors import ModelError
from melanoma_core.models import predict

HALF = np.repeat([True, False], 32)[np.newaxis].repeat(64, axis=0)


@pytest.fixture
def photographs(tmp_path):
    """Three photographs with an expert's outline around their left half."""
    rows = []
    for number in range(3):
        Image.new("RGB", (64, 64), (200, 160, 140)).save(tmp_path / f"{number}.png")
        path = tmp_path / f"{number}_segmentation.png"
        Image.fromarray(np.where(HALF, 255, 0).astype(np.uint8)).save(path)
        rows.append((str(number), f"l{number}", f"g{number}", str(tmp_path / f"{number}.png")))
    table = pd.DataFrame(rows, columns=["image_id", "lesion_id", "group_id", "path"])
    files = {row[0]: tmp_path / f"{row[0]}_segmentation.png" for row in rows}
    return table.assign(diagnosis=["NV", "MEL", "MEL"]), files


def draw(monkeypatch, *outlines):
    """Make the model give these outlines, one a photograph."""
    answers = iter([SimpleNamespace(outline=outline) for outline in outlines])
    monkeypatch.setattr(predict, "classify", lambda model, image: next(answers))
    return SimpleNamespace(card=SimpleNamespace(model_id="m"))


def test_a_figure_counts_what_is_drawn_and_what_is_not(monkeypatch, photographs):
    right, half = np.where(HALF, 9.0, -9.0), np.where(HALF, 9.0, -9.0)
    half[32:] = -9
    model = draw(monkeypatch, right, half, np.full((64, 64), -9.0))
    dices = outline_dice.measure(model, *photographs)
    np.testing.assert_allclose(dices, [1, 2 / 3, np.nan], atol=0.01)
    row = outline_dice._row(model, "test", "all", photographs[0], dices)
    assert row["dice"].value == pytest.approx(5 / 9, abs=0.01)
    assert row["below"].value == pytest.approx(2 / 3)
    assert row["num_without"] == 1
    melanoma = outline_dice._row(model, "test", "MEL", photographs[0], dices)
    assert melanoma["dice"].value == pytest.approx(1 / 3, abs=0.01)
    assert melanoma["dice"].num_photographs == 2


def test_a_model_without_a_decoder_is_refused(monkeypatch, photographs):
    model = draw(monkeypatch, None)
    with pytest.raises(ModelError, match=r"“m” draws no outlines.*recalibrate --outlines"):
        outline_dice.measure(model, *photographs)
