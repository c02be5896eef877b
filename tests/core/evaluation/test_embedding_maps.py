"""The map of a data set: coordinates, overlap of diagnoses, and the shipped map."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.data import bundled_map
from melanoma_core.data import bundled_set, datasets
from melanoma_core.diagnoses import CODES
from melanoma_core.errors import DatasetError
from melanoma_core.evaluation import embedding_maps
from melanoma_core.models import predict
from tests.support.made_models import draw_class_folders


@pytest.fixture(scope="module")
def model(trained_models):
    return predict.load_champion(trained_models)[0]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return datasets.read(draw_class_folders(tmp_path_factory.mktemp("sets") / "drawn"))


@pytest.fixture(scope="module")
def made(model, drawn):
    return embedding_maps.of_dataset(model, drawn, {"melanoma_000"})


def points_of(*rows):
    """Points by hand: diagnosis, lesion, and how many of two neighbors are MEL, NV and BCC."""
    near = {f"near_{code}": 0.0 for code in CODES}
    return pd.DataFrame(
        [
            near | {"diagnosis": code, "lesion": lesion}
            | dict(zip(("near_MEL", "near_NV", "near_BCC"), counts, strict=True))
            for code, lesion, counts in rows
        ]
    )  # fmt: skip


POINTS = points_of(
    ("MEL", 0, (0, 2, 0)),
    ("MEL", 0, (1, 1, 0)),
    ("MEL", 1, (2, 0, 0)),
    ("NV", 2, (1, 1, 0)),
    ("NV", 3, (0, 1, 1)),
    ("BCC", 4, (0, 2, 0)),
    ("NV", np.nan, (np.nan, np.nan, np.nan)),
)


def test_overlap_by_hand():
    overlap = embedding_maps.overlap(POINTS, "MEL", "NV")
    assert overlap.proportion.value == pytest.approx(3 / 6)
    assert (overlap.proportion.num_photographs, overlap.proportion.num_lesions) == (3, 2)
    # Six are compared: two of the four or five of other lesions are nevi.
    assert overlap.chance == pytest.approx((2 / 4 + 2 / 4 + 2 / 5) / 3)
    assert overlap.proportion.low <= overlap.proportion.value <= overlap.proportion.high


def test_overlap_of_some_photographs_with_any_other_diagnosis():
    asked = np.array([False, False, False, True, True, True, True])
    overlap = embedding_maps.overlap(POINTS, "NV", None, asked)
    assert overlap.proportion.value == pytest.approx(2 / 4)
    assert overlap.proportion.num_photographs == 2
    assert overlap.chance == pytest.approx(4 / 5)


def test_a_missing_diagnosis_has_no_overlap():
    overlap = embedding_maps.overlap(POINTS, "DF")
    assert overlap.proportion.num_photographs == 0
    assert np.isnan([overlap.proportion.value, overlap.chance]).all()


def test_a_map_has_a_point_for_each_photograph_and_marks_held_out_ones(made, drawn):
    assert made.model_id == "tiny-1"
    assert made.points["image_id"].tolist() == drawn.table["image_id"].tolist()
    assert np.isfinite(made.points[["x", "y"]]).all(axis=None)
    held_out = made.points.loc[made.points["is_held_out"], "image_id"]
    assert held_out.tolist() == ["melanoma_000"]
    assert made.num_neighbors == 10


def test_pairs_are_rows_of_a_melanoma_and_a_nevus(made, drawn):
    assert made.pairs
    for pair in made.pairs:
        assert drawn.table["diagnosis"].iloc[[pair.first, pair.second]].tolist() == ["MEL", "NV"]
    distances = [pair.distance for pair in made.pairs]
    assert distances == sorted(distances)


def test_the_same_photographs_give_the_same_map(made, model, drawn):
    again = embedding_maps.of_dataset(model, drawn, {"melanoma_000"})
    pd.testing.assert_frame_equal(again.points, made.points)


def test_clusters_of_the_embedding_are_apart_on_the_map():
    rng = np.random.default_rng(0)
    vectors = np.concatenate([rng.normal(center, 0.1, (30, 8)) for center in np.eye(8)[:2]])
    xy = embedding_maps.coordinates(vectors.astype(np.float32))
    near, far = np.linalg.norm(xy - xy[0], axis=1)[[range(30), range(30, 60)]].max(axis=1)
    assert near < far
    assert np.abs(xy).max() == pytest.approx(1)


def test_a_large_data_set_is_sampled_reproducibly(monkeypatch, model, drawn):
    monkeypatch.setattr(embedding_maps, "MAX_PHOTOGRAPHS", 30)
    progress = []
    made = embedding_maps.of_dataset(model, drawn, (), lambda *done: progress.append(done))
    assert len(made.points) == 30
    assert progress[-1] == (30, 30)
    assert made.num_photographs == 48
    again = embedding_maps.of_dataset(model, drawn, ())
    assert again.points.index.tolist() == made.points.index.tolist()
    ids = drawn.table["image_id"].iloc[made.points.index].tolist()
    assert made.points["image_id"].tolist() == ids


def test_too_few_photographs_are_refused_with_how_many_are_needed(model, drawn):
    few = datasets.Dataset("few", drawn.table.iloc[:6], (), "none", "0" * 64)
    with pytest.raises(DatasetError, match=r"6 photographs .* at least 20"):
        embedding_maps.of_dataset(model, few, ())


def test_held_out_ids_are_those_of_the_evaluation(trained_models):
    held_out = embedding_maps.held_out_ids(trained_models, "tiny-1", "drawn")
    assert held_out
    assert all(name.rpartition("_")[2].isdigit() for name in held_out)
    # Other data sets may have other photographs with the same ids.
    assert embedding_maps.held_out_ids(trained_models, "tiny-1", "another set") == frozenset()


def test_the_shipped_map_is_of_the_bundled_data_set():
    made, table = embedding_maps.read(), bundled_set.read().table
    assert made.points.index.tolist() == list(range(len(table)))
    for column in ("image_id", "diagnosis", "split"):
        assert made.points[column].tolist() == table[column].tolist()
    # Ids with two diagnoses are not compared, nor are further files of the same photograph.
    assert made.num_contradictory == bundled_set.num_contradictory(table)
    num_diagnoses = table.groupby("image_id")["diagnosis"].transform("nunique")
    assert made.points.loc[num_diagnoses.to_numpy() > 1, "lesion"].isna().all()
    assert made.num_neighbors == 10
    assert len(made.pairs) == embedding_maps.NUM_PAIRS
    lesions = made.points["lesion"]
    of_pairs = [lesions[row] for pair in made.pairs for row in (pair.first, pair.second)]
    assert len(set(of_pairs)) == 2 * len(made.pairs)
    same = table["lesion_id"].dropna()
    compared = same[lesions[same.index].notna()]
    assert (lesions[compared.index].groupby(compared).nunique() == 1).all()


def test_the_shipped_map_is_written_reproducibly_and_read_back(tmp_path):
    made = embedding_maps.read()
    files = bundled_set.read().table["file"]
    path = tmp_path / "map.csv.gz"
    path.write_bytes(embedding_maps.to_bytes(made, files))
    assert path.read_bytes() == embedding_maps.to_bytes(embedding_maps.read(path), files)
    pd.testing.assert_frame_equal(embedding_maps.read(path).points, made.points)
    assert embedding_maps.read(path).pairs == made.pairs


def test_diagnoses_overlap_more_in_held_out_photographs():
    points = embedding_maps.read().points
    held_out = points["is_held_out"].to_numpy(bool)
    unseen = embedding_maps.overlap(points, "MEL", "NV", held_out)
    trained = embedding_maps.overlap(points, "MEL", "NV", ~held_out)
    assert unseen.proportion.num_photographs + trained.proportion.num_photographs == 375
    assert unseen.proportion.value > trained.proportion.value


def test_one_command_makes_the_shipped_map(tmp_path, model, trained_models, monkeypatch):
    """With the table of the bundled data set and drawn lesions instead of its photographs."""
    root = draw_class_folders(tmp_path / "nine" / "Train", num_each=6)
    nine = datasets.read(root.parent)
    facts = nine.table.assign(file=bundled_map.file_names(nine.table))
    facts["lesion_id"] = [f"L{row // 2}" for row in range(len(facts))]
    made_up = datasets.Dataset("facts", facts, (), "none", "0" * 64)
    monkeypatch.setattr(bundled_set, "read", lambda: made_up)
    path = tmp_path / "map.csv.gz"
    path.write_bytes(bundled_map.make_map(model, nine, trained_models))
    made = embedding_maps.read(path)
    assert made.model_id == "tiny-1"
    assert len(made.points) == 24
    assert made.points["lesion"].nunique() == 12
