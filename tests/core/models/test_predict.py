"""Loading a model, refusing a damaged one, and the probabilities that a photograph gets."""

import dataclasses
import io
import random
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from melanoma_core.diagnoses import CODES, MALIGNANT_CODES
from melanoma_core.errors import ModelError
from melanoma_core.images import reading, synthetic
from melanoma_core.metrics import calibration
from melanoma_core.models import grad_cam, predict, store
from melanoma_core.paths import sha256
from tests.support import altered_models

PROJECT = Path(__file__).resolve().parents[3]
ALL_FILES = (*store.FILES, "card.json")
LESION = synthetic.lesion(3, (96, 128))


@pytest.fixture(scope="module")
def model(trained_models):
    return predict.load(trained_models / "tiny-1")


@pytest.fixture(scope="module")
def other_models(trained_models, tmp_path_factory):
    """A folder with tiny-1 in use before tiny-2, which is in use; no file of theirs is alike."""
    folder = tmp_path_factory.mktemp("other") / "models"
    shutil.copytree(trained_models, folder)
    source = folder / "tiny-1"
    head = altered_models.arrays_of(source / "head.npz")
    golden = altered_models.arrays_of(source / "golden.npz")
    files = {name: (source / name).read_bytes() + b" " * 16 for name in store.FILES}
    files["head.npz"] = altered_models.npz(kernel=-head["kernel"], bias=head["bias"])
    flipped = predict.read_network(files["network.tflite"], files["head.npz"])
    card = store.read_card(source)
    probabilities = [
        calibration.probabilities(
            flipped.logits(flipped.graph.run(image).embedding), card.calibration
        )
        for image in golden["images"]
    ]
    files["golden.npz"] = altered_models.npz(images=golden["images"], probabilities=probabilities)
    altered_models.add(folder, "tiny-1", "tiny-2", files)
    store.set_champion(folder, "tiny-2")
    return folder


@pytest.fixture
def two_models(other_models, tmp_path):
    """A copy of `other_models`, for the test to damage."""
    return shutil.copytree(other_models, tmp_path / "two" / "models")


def refusal(directory: Path) -> str:
    """Why the model is refused; empty when it is not."""
    try:
        predict.load(directory)
    except ModelError as error:
        return str(error)
    return ""


def damages(data: bytes, seed: int) -> dict[str, bytes]:
    """The file with one bit flipped at places drawn by lot, and cut short."""
    rng, made = random.Random(seed), {}
    places = [0, len(data) - 1, *(rng.randrange(len(data)) for _ in range(30))]
    for place in places:
        flipped = bytearray(data)
        flipped[place] ^= 1 << rng.randrange(8)
        made[f"bit flipped in byte {place}"] = bytes(flipped)
    for length in (0, 1, len(data) // 2, len(data) - 1):
        made[f"cut off after {length} bytes"] = data[:length]
    made["one byte more"] = data + b"\0"
    return made


def test_both_models_answer_before_anything_is_damaged(two_models):
    first, second = (predict.load(two_models / name) for name in ("tiny-1", "tiny-2"))
    for name in ALL_FILES:
        assert (two_models / "tiny-1" / name).read_bytes() != (
            two_models / "tiny-2" / name
        ).read_bytes()
    difference = (
        predict.classify(first, LESION).probabilities
        - predict.classify(second, LESION).probabilities
    )
    assert np.abs(difference).max() > 0.01
    in_use, problem = predict.load_champion(two_models)
    assert in_use.card.model_id == "tiny-2"
    assert problem is None


@pytest.mark.parametrize("name", ALL_FILES)
def test_a_damaged_file_is_refused_and_the_previous_model_answers(two_models, name):
    path = two_models / "tiny-2" / name
    whole = path.read_bytes()
    for damage, data in damages(whole, len(name)).items():
        path.write_bytes(data)
        if name != "card.json":  # where a flipped bit may leave the meaning: see test_store
            assert name in refusal(path.parent), damage
        answering, problem = predict.load_champion(two_models)
        assert answering.card.model_id == "tiny-1", damage
        assert problem, damage
        assert str(two_models) not in problem
    path.write_bytes(whole)
    assert predict.load_champion(two_models)[0].card.model_id == "tiny-2"


@pytest.mark.parametrize("name", ALL_FILES)
def test_a_missing_file_is_refused_and_the_previous_model_answers(two_models, name):
    (two_models / "tiny-2" / name).unlink()
    with pytest.raises(ModelError):
        predict.load(two_models / "tiny-2")
    answering, problem = predict.load_champion(two_models)
    assert answering.card.model_id == "tiny-1"
    assert problem


@pytest.mark.parametrize("name", ALL_FILES)
def test_a_file_swapped_between_two_models_is_refused_in_both(two_models, name):
    first, second = two_models / "tiny-1" / name, two_models / "tiny-2" / name
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    for model_id in ("tiny-1", "tiny-2"):
        with pytest.raises(ModelError, match="swapped" if name == "card.json" else "SHA-256"):
            predict.load(two_models / model_id)
    with pytest.raises(ModelError, match="tiny-2"):
        predict.load_champion(two_models)


def test_a_card_rewritten_with_a_right_checksum_is_not_the_one_put_into_use(two_models):
    card = store.read_card(two_models / "tiny-2")
    points = tuple(
        dataclasses.replace(point, threshold=point.threshold / 2) for point in card.operating_points
    )
    shutil.rmtree(two_models / "tiny-2")
    altered_models.add(two_models, "tiny-1", "tiny-2", {}, operating_points=points)
    assert predict.load(two_models / "tiny-2")
    answering, problem = predict.load_champion(two_models)
    assert answering.card.model_id == "tiny-1"
    assert "The card of “tiny-2” was changed after its promotion" in problem


def test_a_folder_that_is_gone_leaves_the_previous_model_answering(two_models):
    shutil.rmtree(two_models / "tiny-2")
    answering, problem = predict.load_champion(two_models)
    assert answering.card.model_id == "tiny-1"
    assert "no model “tiny-2”" in problem


def test_without_a_model_that_passes_its_checks_none_answers(two_models, tmp_path):
    for model_id in ("tiny-1", "tiny-2"):
        (two_models / model_id / "head.npz").write_bytes(b"")
    with pytest.raises(ModelError, match=r"head\.npz of the model “tiny-2”"):
        predict.load_champion(two_models)
    with pytest.raises(ModelError, match="No model is in use yet"):
        predict.load_champion(tmp_path / "nowhere")


def head_of(models_dir: Path) -> dict[str, np.ndarray]:
    return altered_models.arrays_of(models_dir / "tiny-1" / "head.npz")


def test_golden_inputs_bite_where_every_checksum_is_right(models_in_use):
    head = head_of(models_in_use)
    bias = head["bias"].copy()
    bias[0] += 0.01
    files = {"head.npz": altered_models.npz(kernel=head["kernel"], bias=bias)}
    altered_models.add(models_in_use, "tiny-1", "shifted", files)
    with pytest.raises(ModelError, match=r"“shifted” answers .* away from what it answered"):
        predict.load(models_in_use / "shifted")
    card = store.read_card(models_in_use / "tiny-1")
    altered_models.add(models_in_use, "tiny-1", "milder", {}, temperature=2 * card.temperature)
    biased = (card.class_bias[0] + 0.01, *card.class_bias[1:])
    altered_models.add(models_in_use, "tiny-1", "biased", {}, class_bias=biased)
    altered_models.add(models_in_use, "tiny-1", "moved", {}, prior_shift=(0.01, *[0.0] * 8))
    for model_id in ("milder", "biased", "moved"):
        with pytest.raises(ModelError, match=f"“{model_id}” answers"):
            predict.load(models_in_use / model_id)


@pytest.mark.parametrize("number", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["kernel", "bias"])
def test_a_layer_with_numbers_that_are_not_finite_is_refused(models_in_use, name, number):
    head = head_of(models_in_use)
    head[name] = head[name].copy()
    head[name].flat[0] = number
    altered_models.add(models_in_use, "tiny-1", "bad", {"head.npz": altered_models.npz(**head)})
    with pytest.raises(ModelError, match=f"“{name}” of the model holds numbers that are not"):
        predict.load(models_in_use / "bad")


class Trap:
    """Pickled, it would make a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_pickled_arrays_are_refused_unread(models_in_use, tmp_path):
    trap = tmp_path / "sprung"
    bias = np.array([Trap(trap)], dtype=object)
    files = {"head.npz": altered_models.npz(kernel=head_of(models_in_use)["kernel"], bias=bias)}
    altered_models.add(models_in_use, "tiny-1", "trap", files)
    with pytest.raises(ModelError, match="allow_pickle=False"):
        predict.load(models_in_use / "trap")
    assert not trap.exists()


def bad_heads(kernel: np.ndarray, bias: np.ndarray) -> dict[str, bytes]:
    plain = io.BytesIO()
    np.save(plain, kernel)
    return {
        "empty": b"",
        "noise": b"noise",
        "one plain array": plain.getvalue(),
        "no bias": altered_models.npz(kernel=kernel),
        "words": altered_models.npz(kernel=kernel, bias=np.array(["a"] * len(bias))),
        "fewer features": altered_models.npz(kernel=kernel[:-1], bias=bias),
        "fewer diagnoses": altered_models.npz(kernel=kernel[:, :-1], bias=bias[:-1]),
        "bias of another": altered_models.npz(kernel=kernel, bias=bias[:-1]),
        "one number": altered_models.npz(kernel=kernel[:, 0], bias=bias[0]),
    }


def test_a_layer_that_does_not_fit_is_refused(models_in_use):
    for number, (what, head) in enumerate(bad_heads(**head_of(models_in_use)).items()):
        altered_models.add(models_in_use, "tiny-1", f"bad-{number}", {"head.npz": head})
        assert refusal(models_in_use / f"bad-{number}"), what


def test_golden_inputs_that_check_nothing_are_refused(models_in_use):
    golden = altered_models.arrays_of(models_in_use / "tiny-1" / "golden.npz")
    images, probabilities = golden["images"], golden["probabilities"]
    assert len(images) >= 3
    bad = (
        (images[:0], probabilities[:0]),
        (images, probabilities[:-1]),
        (images, probabilities[:, :-1]),
        (images[:, :-1], probabilities),
        (images.astype(np.float32), probabilities),
        (np.uint8(1), np.float64(1)),
    )
    for number, (bad_images, bad_probabilities) in enumerate(bad):
        content = altered_models.npz(images=bad_images, probabilities=bad_probabilities)
        altered_models.add(models_in_use, "tiny-1", f"bad-{number}", {"golden.npz": content})
        with pytest.raises(ModelError, match="golden inputs"):
            predict.load(models_in_use / f"bad-{number}")


def test_a_network_that_is_none_is_refused(models_in_use):
    for number, graph in enumerate((b"", b"noise", bytes(1000))):
        altered_models.add(models_in_use, "tiny-1", f"bad-{number}", {"network.tflite": graph})
        with pytest.raises(ModelError, match="not a graph that can be run"):
            predict.load(models_in_use / f"bad-{number}")


def test_a_card_of_other_outputs_or_another_size_is_refused(models_in_use):
    altered_models.add(models_in_use, "tiny-1", "eight", {}, diagnoses=CODES[:8])
    altered_models.add(models_in_use, "tiny-1", "large", {}, image_size=64)
    for model_id in ("eight", "large"):
        with pytest.raises(ModelError, match=r"The card of .* speaks of"):
            predict.load(models_in_use / model_id)


def test_a_loaded_model_names_the_card_that_it_was_checked_against(model, trained_models):
    card = trained_models / "tiny-1" / "card.json"
    assert model.sha256 == sha256(card.read_bytes())
    assert model.card == store.read_card(card.parent)


def test_probabilities_are_the_calibrated_logits_and_sum_to_one(model):
    card = dataclasses.replace(
        model.card, prior_shift=(0.5, *[0.0] * 8), class_bias=(0.0, -0.25, *[0.0] * 7)
    )
    prediction = predict.classify(dataclasses.replace(model, card=card), LESION)
    assert prediction.model_id == "tiny-1"
    assert prediction.codes == CODES
    assert prediction.probabilities.sum() == pytest.approx(1, abs=1e-12)
    shifted = prediction.logits + np.array([0.5, -0.25, *[0.0] * 7])
    expected = np.exp(shifted / card.temperature)
    np.testing.assert_allclose(prediction.probabilities, expected / expected.sum(), atol=1e-12)
    head = prediction.embedding.astype(np.float64) @ model.network.kernel + model.network.bias
    np.testing.assert_allclose(prediction.logits, head, atol=1e-9)
    np.testing.assert_allclose(
        prediction.embedding, prediction.features.mean(axis=(0, 1)), atol=1e-5
    )


def test_a_prediction_sums_the_malignant_and_names_the_likeliest(model):
    made = dataclasses.replace(
        predict.classify(model, LESION),
        probabilities=np.array([0.1, 0.3, 0.05, 0.2, 0.04, 0.06, 0.15, 0.03, 0.07]),
    )
    assert made.melanoma_probability == 0.1
    assert made.probability("VASC") == 0.07
    assert set(MALIGNANT_CODES) == {"MEL", "BCC", "SCC"}
    assert made.malignant_probability == pytest.approx(0.1 + 0.05 + 0.04)
    assert made.likeliest == "NV"
    with pytest.raises(ValueError, match="not in"):
        made.probability("NAEVUS")


def stored_as(upright: np.ndarray, orientation: int) -> bytes:
    """A JPEG whose pixels lie as a camera held that way stores them, with the tag that says so."""
    operation = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,  # a viewer turns it back by 270° anticlockwise
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    photograph = Image.fromarray(upright)
    if orientation != 1:
        photograph = photograph.transpose(operation[orientation])
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    photograph.save(file, "JPEG", quality=92, exif=exif)
    return file.getvalue()


@pytest.mark.parametrize("seed", [0, 1])
def test_eight_orientations_of_a_photograph_give_the_same_answer_and_upright_maps(model, seed):
    photograph = synthetic.lesion(seed, (300, 400))
    answers = [
        predict.classify(model, reading.read(stored_as(photograph, orientation)))
        for orientation in range(1, 9)
    ]
    first = answers[0]
    first_maps = grad_cam.grad_cams(model, first)
    assert np.ptp(first_maps) > 0
    for answer in answers[1:]:
        np.testing.assert_allclose(answer.probabilities, first.probabilities, atol=0.02)
        maps = grad_cam.grad_cams(model, answer)
        np.testing.assert_allclose(maps, first_maps, atol=0.05 * first_maps.max())
    # It matters: the photograph lying on its side is told apart by the network.
    lying = predict.classify(model, np.ascontiguousarray(photograph.transpose(1, 0, 2)))
    assert np.abs(grad_cam.grad_cams(model, lying) - first_maps).max() > 0.05 * first_maps.max()


def test_an_answer_is_left_alone_by_the_next_one(model):
    first = predict.classify(model, LESION)
    features, embedding = first.features.copy(), first.embedding.copy()
    predict.classify(model, LESION[::-1])
    assert np.array_equal(first.features, features)
    assert np.array_equal(first.embedding, embedding)


def test_a_graph_held_to_one_core_gives_the_same_answer(model, trained_models, monkeypatch):
    monkeypatch.setattr(predict, "_MOST_THREADS", 1)
    alone = predict.load(trained_models / "tiny-1")
    assert np.array_equal(
        predict.classify(alone, LESION).logits, predict.classify(model, LESION).logits
    )


def test_eight_threads_get_exactly_the_answers_of_one(model):
    photographs = [
        synthetic.lesion(seed, (64, 80), kind)
        for kind in synthetic.KINDS[:5]
        for seed in range(4)
    ]  # fmt: skip
    assert len(photographs) == 20
    alone = [predict.classify(model, photograph) for photograph in photographs]

    def answer_all(worker: int) -> list[predict.Prediction]:
        order = [(worker * 3 + number) % 20 for number in range(20)]
        answers = {number: predict.classify(model, photographs[number]) for number in order}
        return [answers[number] for number in range(20)]

    with ThreadPoolExecutor(8) as pool:
        for answers in pool.map(answer_all, range(8)):
            for answer, expected in zip(answers, alone, strict=True):
                assert np.array_equal(answer.logits, expected.logits)
                assert np.array_equal(answer.probabilities, expected.probabilities)
                assert np.array_equal(answer.features, expected.features)


def test_assessing_and_drawing_maps_loads_no_tensorflow(trained_models):
    code = (
        "import pathlib, sys\n"
        "from melanoma_core.images import reading, synthetic\n"
        "from melanoma_core.models import grad_cam, predict\n"
        f"model, _ = predict.load_champion(pathlib.Path({str(trained_models)!r}))\n"
        "image = reading.read(reading.jpeg(synthetic.lesion(0, (96, 128))))\n"
        "prediction = predict.classify(model, image)\n"
        "cams = grad_cam.grad_cams(model, prediction)\n"
        "drawn = grad_cam.overlay(image, cams[0], float(cams.max()))\n"
        "assert drawn.shape == image.shape\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "melanoma_core" in loaded
    assert not loaded & {"tensorflow", "keras", "tf_keras_vis", "torch", "jax", "streamlit"}


def test_a_model_that_comes_into_use_meanwhile_is_not_taken_for_the_one_before(two_models):
    entries = store.champions(two_models)
    other = entries[1].model_id
    store.set_champion(two_models, other)
    assert predict.load_champion(two_models, entries)[0].card.model_id == entries[0].model_id
    assert predict.load_champion(two_models)[0].card.model_id == other
