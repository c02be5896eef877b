"""The novelty detector fitted to photographs that are drawn by code."""

import numpy as np
import pytest

from melanoma_core.errors import DatasetError
from melanoma_core.images import non_lesions, reading, synthetic
from melanoma_core.models import novelty
from melanoma_core.models.predict import GraphOutput, Network
from melanoma_core.training import novelty_fitting

SIZE = 32


class ColorGraph:
    """Gives the mean color as the embedding."""

    image_size = SIZE

    def run(self, image):
        return GraphOutput(None, image.mean(axis=(0, 1)).astype(np.float32))


NETWORK = Network(ColorGraph(), np.zeros((3, 2), np.float32), np.zeros(2, np.float32))


def lesions(seeds):
    return [
        reading.resize(synthetic.lesion(seed, (96, 128), kind), SIZE)
        for seed in seeds
        for kind in synthetic.KINDS
    ]


@pytest.fixture(autouse=True)
def _few_pictures(monkeypatch):
    monkeypatch.setattr(novelty_fitting, "NUM_SKINS", 12)
    monkeypatch.setattr(novelty_fitting, "NUM_DEGRADED", 30)
    monkeypatch.setattr(novelty_fitting, "NUM_OF_KIND", 8)


@pytest.fixture(scope="module")
def photographs():
    train = lesions(range(20))
    embeddings = np.array([NETWORK.graph.run(image).embedding for image in train])
    return train, embeddings, lesions(range(20, 26))


def refusal_of(fitted, image):
    return novelty.refusal(fitted, image, NETWORK.graph.run(image)[1])


def test_unseen_lesions_are_assessed_and_unseen_pictures_refused(photographs):
    fitted = novelty_fitting.fit(NETWORK, *photographs)
    assert sum(refusal_of(fitted, image) is not None for image in lesions(range(90, 95))) <= 1
    others = [
        reading.resize(non_lesions.made_up(seed, kind, 64), SIZE)
        for kind in ("noise", "document", "code", "lens cap", "fundus")
        for seed in range(500, 504)
    ]
    kinds = [refusal.kind if (refusal := refusal_of(fitted, image)) else None for image in others]
    assert kinds.count("not_a_lesion") >= 18


def test_the_same_photographs_give_the_same_detector(photographs):
    first, second = (novelty_fitting.fit(NETWORK, *photographs) for _ in range(2))
    assert novelty.to_bytes(first) == novelty.to_bytes(second)


def test_pictures_of_a_folder_are_fitted_on_too(photographs, tmp_path):
    picture = np.zeros((40, 300, 3), np.uint8)  # longer than the app would read
    (tmp_path / "banner.png").write_bytes(reading.png(picture))
    without, with_folder = (
        novelty_fitting.fit(NETWORK, *photographs, folder) for folder in (None, tmp_path)
    )
    assert not np.array_equal(without.weights, with_folder.weights)


def test_progress_ends_at_all_pictures(photographs):
    told = []
    novelty_fitting.fit(NETWORK, *photographs, on_progress=lambda *numbers: told.append(numbers))
    assert [done for done, _ in told] == list(range(1, len(told) + 1))
    assert all(done <= count for done, count in told)


def test_the_limit_refuses_at_most_the_wanted_fraction():
    scores = np.arange(1000.0)
    limit = novelty_fitting.place_limit(scores)
    assert (scores > limit).sum() == 8


def test_a_source_that_is_refused_more_often_raises_the_limit():
    scores = np.concatenate([np.arange(1000.0), np.arange(2000.0, 2100.0)])
    sources = ["large"] * 1000 + ["odd"] * 100
    assert (scores > novelty_fitting.place_limit(scores)).sum() == 8
    limit = novelty_fitting.place_limit(scores, sources)
    assert limit == 2098.0  # 1 of the 100 is above it


def test_a_source_of_few_photographs_places_no_limit():
    scores = np.concatenate([np.arange(1000.0), np.arange(2000.0, 2005.0)])
    sources = ["large"] * 1000 + ["few"] * 5
    assert novelty_fitting.place_limit(scores, sources) == novelty_fitting.place_limit(scores)


@pytest.mark.parametrize(("train", "val"), [([], [0]), ([0], [])])
def test_nothing_can_be_fitted_without_photographs(train, val):
    with pytest.raises(DatasetError, match="novelty detector cannot be fitted"):
        novelty_fitting.fit(NETWORK, train, np.zeros((len(train), 3), np.float32), val)


def test_skin_is_made_with_the_outline_where_the_network_gives_it():
    photograph = np.full((96, 96, 3), (210, 160, 140), np.uint8)
    photograph[20:75, 20:75] = (90, 60, 50)
    logits = np.where(photograph[::2, ::2, 0] < 150, 9, -9).astype(np.float32)

    class OutlineGraph(ColorGraph):
        def run(self, image):
            return super().run(image)._replace(outline=logits)

    network = Network(OutlineGraph(), NETWORK.kernel, NETWORK.bias)
    rng = np.random.default_rng(0)
    assert list(novelty_fitting._skins(rng, network, photograph)) == []  # too little skin beside it
    assert list(novelty_fitting._skins(rng, NETWORK, photograph))
