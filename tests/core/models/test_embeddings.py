"""Embeddings of files: what the model itself says of each, and a word for what it cannot read."""

import numpy as np
import pytest
from PIL import Image

from melanoma_core.images import reading, synthetic
from melanoma_core.models import embeddings, predict


@pytest.fixture
def files(tmp_path):
    for seed in range(2):
        Image.fromarray(synthetic.lesion(seed, (64, 80))).save(tmp_path / f"{seed}.png")
    (tmp_path / "bad.png").write_bytes(b"no photograph")
    return [tmp_path / name for name in ("0.png", "bad.png", "1.png")]


def test_a_row_is_what_the_model_that_assesses_makes_of_the_photograph(trained_models, files):
    model, _ = predict.load_champion(trained_models)
    told = []
    found = embeddings.of_files(model.network, files, lambda *done: told.append(done))
    for place in (0, 2):
        expected = predict.classify(model, reading.read_file(files[place])).embedding
        np.testing.assert_array_equal(found.vectors[place], expected)
    assert np.isnan(found.vectors[1]).all()
    assert list(found.refused) == [1]
    assert "bad.png" in found.refused[1]
    assert told == [(1, 3), (2, 3), (3, 3)]
