"""Cards, model folders and the record of the model in use."""

import dataclasses
import errno
import fcntl
import json
import math
import os
import random
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from melanoma_core.data import coverage
from melanoma_core.errors import ModelError
from melanoma_core.evaluation import promotion
from melanoma_core.metrics import estimates
from melanoma_core.metrics.calibration import Calibration
from melanoma_core.metrics.estimates import Estimate
from melanoma_core.models import store
from melanoma_core.models.cards import Card, DatasetUse, Differential, OperatingPoint
from melanoma_core.paths import sha256
from tests.support import stub_models
from tests.support.made_candidates import SIGNED


def fields_of(card: Card) -> dict:
    """The fields as JSON values, without the checksum over them."""
    fields = json.loads(card.to_json())
    del fields["card_sha256"]
    return fields


def sealed(fields: dict) -> str:
    """The text of a card of these fields, with the right checksum."""
    return json.dumps({**fields, "card_sha256": sha256(json.dumps(fields).encode())})


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_card_survives_being_written_and_read():
    card = stub_models.card()
    card = dataclasses.replace(card, figures={"all": card.figures["all"]})  # NaN equals nothing
    assert Card.from_json(card.to_json()) == card


def test_undefined_figures_are_null_in_the_file_and_nan_in_the_card():
    nan = math.nan
    point = dataclasses.replace(
        stub_models.operating_point(), sensitivity=Estimate(nan, nan, nan, 0, 0, 0)
    )
    card = stub_models.card(operating_points=(point,))
    text = card.to_json()
    assert "NaN" not in text
    assert fields_of(card)["figures"]["isic2017"]["melanoma_auroc"]["value"] is None
    read = Card.from_json(text)
    assert math.isnan(read.figures["isic2017"]["melanoma_auroc"].low)
    assert math.isnan(read.operating_points[0].sensitivity.high)
    assert read.to_json() == text
    assert estimates.to_record(Estimate(0.5, nan, 1.0, 3, 2)) == {
        "value": 0.5, "low": None, "high": 1.0, "num_photographs": 3, "num_lesions": 2,
        "num_hits": None,
    }  # fmt: skip


def test_a_card_gives_its_calibration():
    card = stub_models.card(prior_shift=(0.5,) * 9, class_bias=(0.1,) * 9)
    assert card.calibration == Calibration(1.25, (0.5,) * 9, (0.1,) * 9)
    assert Card.from_json(card.to_json()).calibration == card.calibration


# What models made before version 0.10 lack.
LATER = ("carcinoma_points", "referral_rules", "quality_limits", "part_figures")


def test_an_earlier_card_lacks_the_later_fields():
    fields = fields_of(stub_models.card())
    for name in LATER:
        del fields[name]
    earlier = Card.from_json(sealed(fields))
    assert earlier.carcinoma_point() is None
    assert earlier.referral_rule() is None
    assert earlier.quality_limits == earlier.part_figures == {}


@pytest.mark.parametrize(
    "name", [field.name for field in dataclasses.fields(Card) if field.name not in LATER]
)
def test_a_card_that_lacks_a_field_is_refused(name):
    fields = fields_of(stub_models.card())
    del fields[name]
    with pytest.raises(ModelError, match="card cannot be read.*" + name):
        Card.from_json(sealed(fields))


def test_a_card_without_its_checksum_is_refused():
    fields = fields_of(stub_models.card())
    assert Card.from_json(sealed(fields)).model_id == fields["model_id"]
    with pytest.raises(ModelError, match=r"card cannot be read.*card_sha256"):
        Card.from_json(json.dumps(fields))


@pytest.mark.parametrize("attribute", coverage.ATTRIBUTES)
def test_a_card_that_does_not_say_what_was_seen_is_refused(attribute):
    fields = fields_of(stub_models.card())
    del fields["seen"][attribute]
    with pytest.raises(ModelError, match="the data coverage lacks " + attribute):
        Card.from_json(sealed(fields))


def test_an_epoch_without_a_figure_is_null_in_the_file_and_nan_in_the_card():
    epoch = {"epoch": 1, "loss": 0.5, "val_melanoma_auroc": math.nan}
    text = stub_models.card(history=(epoch,)).to_json()
    assert "NaN" not in text
    (read,) = Card.from_json(text).history
    assert (read["epoch"], read["loss"]) == (1, 0.5)
    assert math.isnan(read["val_melanoma_auroc"])


@pytest.mark.parametrize("kind", [Estimate, OperatingPoint, DatasetUse, Differential])
def test_a_card_whose_parts_lack_a_field_is_refused(kind):
    for field in dataclasses.fields(kind):
        if field.default is not dataclasses.MISSING:
            continue
        fields = fields_of(stub_models.card())
        part = {
            Estimate: fields["figures"]["all"]["accuracy"],
            OperatingPoint: fields["operating_points"][1],
            DatasetUse: fields["datasets"][0],
            Differential: fields["differential"],
        }[kind]
        del part[field.name]
        with pytest.raises(ModelError, match="card cannot be read.*" + field.name):
            Card.from_json(sealed(fields))


@pytest.mark.parametrize("text", ["", "null", "[]", "3", "{", '"card"', b"\xff\xfe", "{}"])
def test_what_is_no_card_is_refused(text):
    with pytest.raises(ModelError, match="card cannot be read"):
        Card.from_json(text)


def test_a_card_with_an_unknown_field_is_refused():
    fields = fields_of(stub_models.card()) | {"accuracy_in_the_leaflet": 0.99}
    with pytest.raises(ModelError, match="accuracy_in_the_leaflet"):
        Card.from_json(sealed(fields))


def test_a_card_gives_the_operating_point_of_a_target_and_says_which_it_has():
    card = stub_models.card()
    assert card.operating_point() is card.operating_points[0]
    assert card.operating_point(0.9) is card.operating_points[1]
    with pytest.raises(ModelError, match=r"sensitivity of 0\.8; it has 0\.95, 0\.9\."):
        card.operating_point(0.8)


def test_a_model_is_added_whole_with_the_checksum_of_every_file(tmp_path):
    directory = stub_models.add(tmp_path, stub_models.card("made"), in_use=False)
    assert directory == tmp_path / "made"
    assert sorted(path.name for path in directory.iterdir()) == sorted([*store.FILES, "card.json"])
    card, card_sha256, files = store.read_files(directory)
    assert files == {name: (directory / name).read_bytes() for name in store.FILES}
    assert card.files == {name: sha256(content) for name, content in files.items()}
    assert files["network.tflite"] == b"network.tflite"
    assert card_sha256 == sha256((directory / "card.json").read_bytes())
    assert directory.stat().st_mode & 0o777 == 0o755
    assert os.listdir(tmp_path) == ["made"]


def test_adding_never_overwrites_a_model_and_leaves_nothing_behind(tmp_path):
    stub_models.add(tmp_path, stub_models.card("made"), in_use=False)
    before = contents(tmp_path)
    with pytest.raises(ModelError, match="second model “made”: a model of this name exists"):
        stub_models.add(tmp_path, stub_models.card("made", temperature=9.0), in_use=False)
    assert contents(tmp_path) == before
    assert os.listdir(tmp_path) == ["made"]


@pytest.mark.parametrize("name", store.FILES)
def test_a_model_that_lacks_a_file_is_not_added(tmp_path, name):
    building = store.building_dir(tmp_path)
    for other in set(store.FILES) - {name}:
        (building / other).write_bytes(b"x")
    with pytest.raises(ModelError, match=f"it lacks {name}"):
        store.add(tmp_path, building, stub_models.card("made"))
    assert os.listdir(tmp_path) == []


BUILDER = """
import pathlib, sys
from melanoma_core.models import store
building = store.building_dir(pathlib.Path(sys.argv[1]))
(building / "network.tflite").write_bytes(b"half")
print(building.name, flush=True)
sys.stdin.read()
"""


@contextmanager
def builder(folder: Path):
    """A process that builds a model, and the folder that it builds in."""
    with subprocess.Popen(
        [sys.executable, "-c", BUILDER, str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield process, folder / process.stdout.readline().strip()
        finally:
            process.kill()


def test_what_a_killed_process_was_building_is_removed_and_what_is_being_built_is_not(tmp_path):
    stub_models.add(tmp_path, stub_models.card("made"), in_use=False)
    with builder(tmp_path) as (process, killed), builder(tmp_path) as (_, living):
        process.kill()
        process.wait()
        assert killed.is_dir()
        own = store.building_dir(tmp_path)
        second = store.building_dir(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {
            "made", living.name, own.name, second.name,
        }  # fmt: skip
        assert (living / "network.tflite").read_bytes() == b"half"
    assert store.read_files(tmp_path / "made")[0].model_id == "made"


def test_nothing_is_removed_through_a_link_that_is_called_like_a_building(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "photograph.png").write_bytes(b"x")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / ".building-link").symlink_to(elsewhere)
    (tmp_path / "models" / ".building-left").mkdir()
    own = store.building_dir(tmp_path / "models")
    assert sorted(os.listdir(tmp_path / "models")) == sorted([".building-link", own.name])
    assert (elsewhere / "photograph.png").exists()


def test_a_model_is_built_on_a_disk_that_locks_no_folders(tmp_path, monkeypatch):
    def locks_none(*_):
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr(fcntl, "flock", locks_none)
    (tmp_path / ".building-left").mkdir()  # nobody can tell whether it is still built in
    assert store.building_dir(tmp_path).is_dir()
    assert (tmp_path / ".building-left").is_dir()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="lists open files as Linux does")
def test_a_process_that_builds_often_holds_one_folder_open_at_most(tmp_path):
    for number in range(5):
        stub_models.add(tmp_path, stub_models.card(f"m{number}"), in_use=False)
        handles = [Path(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")]
        is_here = [handle.exists() and handle.resolve().parent == tmp_path for handle in handles]
        assert sum(is_here) == 1


HOSTILE_IDS = ("", ".", "..", "../made", ".made", "a/b", "Made", "made\n", "a" * 81, "-made", "m d")


@pytest.mark.parametrize("model_id", HOSTILE_IDS)
def test_a_model_id_cannot_lead_out_of_the_folder(tmp_path, model_id):
    models_dir = tmp_path / "models"
    stub_models.add(models_dir, stub_models.card("made"), in_use=False)
    with pytest.raises(ModelError, match="A model cannot be called"):
        stub_models.add(models_dir, stub_models.card(model_id), in_use=False)
    with pytest.raises(ModelError, match=r"(?s)There is no model .* The models are: made\."):
        store.model_dir(models_dir, model_id)
    assert os.listdir(tmp_path) == ["models"]
    assert os.listdir(models_dir) == ["made"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"threshold": 0.084', '"threshold": 0.884'),
        ('"created": "2026-11-14"', '"created": "2026-11-15"'),
        ('"num_hits": 205', '"num_hits": 206'),
        ("not a medical device", "not a surgical device"),
    ],
)
def test_an_edited_card_is_refused(tmp_path, old, new):
    path = stub_models.add(tmp_path, stub_models.card("made"), in_use=False) / "card.json"
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    with pytest.raises(ModelError, match=r"card cannot be read .it was changed"):
        store.read_card(path.parent)


def test_a_card_with_one_bit_flipped_is_refused_or_says_the_same(tmp_path):
    directory = stub_models.add(tmp_path, stub_models.card("made"), in_use=False)
    path, rng, num_refused = directory / "card.json", random.Random(0), 0
    whole, text = path.read_bytes(), store.read_card(directory).to_json()
    for _ in range(400):
        flipped = bytearray(whole)
        flipped[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        try:
            # A letter of an escape such as \u2019 or of an exponent may change its case.
            assert store.read_card(directory).to_json() == text
        except ModelError:
            num_refused += 1
    assert num_refused > 390


def test_folders_that_were_swapped_are_refused(tmp_path):
    for model_id in ("first", "second"):
        stub_models.add(tmp_path, stub_models.card(model_id), in_use=False)
    (tmp_path / "first").rename(tmp_path / "aside")
    (tmp_path / "second").rename(tmp_path / "first")
    (tmp_path / "aside").rename(tmp_path / "second")
    for model_id in ("first", "second"):
        with pytest.raises(ModelError, match="models were swapped"):
            store.read_files(tmp_path / model_id)


def test_a_card_that_does_not_name_every_file_is_refused(tmp_path):
    directory = stub_models.add(tmp_path, stub_models.card("made"), in_use=False)
    card = store.read_card(directory)
    files = {name: digest for name, digest in card.files.items() if name != "golden.npz"}
    (directory / "card.json").write_text(dataclasses.replace(card, files=files).to_json())
    with pytest.raises(ModelError, match=r"a model has .*golden"):
        store.read_files(directory)


def test_models_are_listed_newest_first_and_half_built_ones_are_not(tmp_path):
    for model_id, created in (("b", "2026-11-02"), ("c", "2026-11-03"), ("a", "2026-11-02")):
        stub_models.add(tmp_path, stub_models.card(model_id, created=created), in_use=False)
    (store.building_dir(tmp_path) / "card.json").write_text("{")
    cards, problems = store.list_cards(tmp_path)
    assert [card.model_id for card in cards] == ["c", "b", "a"]
    assert problems == []
    assert store.list_cards(tmp_path / "nowhere") == ([], [])


def test_a_damaged_card_is_named_and_the_others_are_listed(tmp_path):
    for model_id in ("a", "b", "c"):
        stub_models.add(tmp_path, stub_models.card(model_id), in_use=False)
    (tmp_path / "b" / "card.json").write_text("{")
    cards, (problem,) = store.list_cards(tmp_path)
    assert [card.model_id for card in cards] == ["c", "a"]
    assert problem.startswith("b: The model’s card cannot be read (")


def test_without_a_record_no_model_is_in_use(tmp_path):
    assert store.champion(tmp_path) is None
    assert store.champions(tmp_path / "nowhere") == ()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "{}", '{"champions": 3}', '{"champions": [{"model_id": "x"}]}']
)
def test_a_damaged_record_is_refused_and_not_taken_for_none(tmp_path, text):
    (tmp_path / "champion.json").write_text(text)
    with pytest.raises(ModelError, match=r"champion\.json.*Restore it from a copy, or delete"):
        store.champions(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("model_id", 5, "model_id is 5; text was expected"),
        ("kind", "elected", "kind is 'elected'; promoted, overruled, rolled back or none was"),
        ("kind", ["promoted"], "text was expected"),
        ("since", math.inf, "since is inf; text was expected"),
        ("author", None, "author is None; text was expected"),
    ],
)
@pytest.mark.parametrize("place", [0, 1])
def test_a_record_with_a_field_that_it_cannot_have_is_refused(tmp_path, name, value, told, place):
    for model_id in ("a", "b"):
        stub_models.add(tmp_path, stub_models.card(model_id))
    record = json.loads((tmp_path / "champion.json").read_text())
    record["champions"][place][name] = value
    (tmp_path / "champion.json").write_text(json.dumps(record).replace("Infinity", "1e999"))
    for read in (store.champions, promotion.settle, partial(promotion.roll_back, **SIGNED)):
        with pytest.raises(ModelError, match=r"champion\.json.*Restore it from a copy") as caught:
            read(tmp_path)
        assert told in str(caught.value)
    with pytest.raises(ModelError, match=r"champion\.json"):
        promotion.promote(tmp_path, "a", **SIGNED)


def test_a_record_that_cannot_be_opened_is_refused_without_its_path(tmp_path):
    (tmp_path / "champion.json").mkdir()
    with pytest.raises(ModelError, match="cannot be read") as caught:
        store.champion(tmp_path)
    assert str(tmp_path) not in str(caught.value)


def test_the_newest_model_is_in_use_and_five_before_it_are_remembered(tmp_path):
    for number in range(8):
        directory = stub_models.add(tmp_path, stub_models.card(f"m{number}"))
        newest = store.champion(tmp_path)
        assert newest.model_id == f"m{number}"
        assert newest.sha256 == sha256((directory / "card.json").read_bytes())
        assert newest.since.endswith("+00:00")
    assert [entry.model_id for entry in store.champions(tmp_path)] == [
        "m7", "m6", "m5", "m4", "m3", "m2",
    ]  # fmt: skip
    store.set_champion(tmp_path, "m4")
    assert [entry.model_id for entry in store.champions(tmp_path)] == [
        "m4", "m7", "m6", "m5", "m3", "m2",
    ]  # fmt: skip
    with pytest.raises(ModelError, match="There is no model “m9”"):
        store.set_champion(tmp_path, "m9")
    assert store.champion(tmp_path).model_id == "m4"
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]
