"""Embeddings of files: the same as those of assessment, with reasons for unreadable files."""

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


def test_rows_are_the_embeddings_of_assessment_and_unreadable_files_have_reasons(
    trained_models, files
):
    model, _ = predict.load_champion(trained_models)
    progress = []
    embedded = embeddings.of_files(model.network, files, lambda *done: progress.append(done))
    for place in (0, 2):
        expected = predict.classify(model, reading.read_file(files[place])).embedding
        np.testing.assert_array_equal(embedded.vectors[place], expected)
    assert np.isnan(embedded.vectors[1]).all()
    assert list(embedded.refused) == [1]
    assert "bad.png" in embedded.refused[1]
    assert progress == [(1, 3), (2, 3), (3, 3)]
