"""The tab Map: the bundled map, a map of an uploaded set, and what is said if there is none."""

import csv
import io

import pytest

from melanoma_core.data import bundled_set, catalogues, datasets
from melanoma_core.evaluation import embedding_maps
from tests.support import stub_models
from tests.support.made_models import KINDS, draw_class_folders
from tests.support.made_pages import button, chart, open_app, text
from ui import dataset_choice
from ui.explore import embedding_panel

EXPLORE = "pages/explore.py"


@pytest.fixture(autouse=True)
def _no_server_folder(monkeypatch):
    monkeypatch.delenv("MELANOMA_SERVER_DATA", raising=False)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return draw_class_folders(tmp_path_factory.mktemp("sets") / "drawn", num_each=6)


def open_map(catalogue=None, place=dataset_choice.BUNDLED):
    """The tab Map of a data set that this session has read, by default of the bundled set."""
    app = open_app()
    if catalogue is not None:
        app.session_state["dataset_open"] = dataset_choice.OpenDataset(place, catalogue)
    app.session_state["dataset_source"] = place
    app.session_state["explore_tab"] = "Map"
    app.switch_page(EXPLORE).run()
    assert not app.exception
    return app


def open_drawn(folder):
    return open_map(catalogues.build(datasets.read(folder)), dataset_choice.UPLOADED)


def control(app, label):
    return next(control for control in app.segmented_control if control.label == label)


def test_the_bundled_set_has_a_map_without_a_model(empty_models):
    app = open_map()
    alt, spec, _ = chart(app, "embedding_map")
    assert alt.startswith("Map of the embeddings: Melanoma 454, ")
    assert sum(len(trace["customdata"]) for trace in spec["data"]) == 2_359
    embedding_map = embedding_maps.read()
    assert embedding_map.model_id in text(app).replace("\u2060", "").replace("\\", "")
    assert "is a different one" not in text(app)
    assert not [b for b in app.button if b.label == "Make the map"]


def test_figures_of_held_out_photographs_come_first(
    empty_models,
):
    app = open_map()
    points = embedding_maps.read().points
    held_out = embedding_maps.overlap(points, "MEL", "NV", points["is_held_out"].to_numpy(bool))
    sentence = next(m.value for m in app.markdown if m.value.startswith("Of the 10 nearest"))
    assert f"{100 * held_out.proportion.value:.0f}\u202f% are nevi" in sentence
    assert f"by chance it would be {100 * held_out.chance:.0f}\u202f%" in sentence
    table = next(t.value for t in app.table if "Diagnosis of the neighbors" in t.value)
    assert table["Photographs"].tolist() == [
        *["Held out from the model"] * 2, *["Used to train the model"] * 2, *["All"] * 2,
    ]  # fmt: skip
    assert table["Neighbors of"][0] == f"Melanoma ({held_out.proportion.num_photographs})"


def test_the_pair_can_be_highlighted_and_held_out_photographs_shown_alone(empty_models):
    app = open_map()
    control(app, "Show").set_value("Melanoma and nevus").run()
    control(app, "Photographs").set_value("Held out from the model").run()
    alt, spec, _ = chart(app, "embedding_map")
    assert alt.endswith("Melanoma and Nevus stand out.")
    num_held_out = int(embedding_maps.read().points["is_held_out"].sum())
    assert sum(len(trace["customdata"]) for trace in spec["data"]) == num_held_out
    assert {trace["name"].split()[0] for trace in spec["data"][-2:]} == {"Melanoma", "Nevus"}


def test_closest_pairs_without_photographs_are_a_table_of_ids(empty_models):
    app = open_map()
    table = next(frame.value for frame in app.dataframe if "Distance" in frame.value)
    assert len(table) == embedding_maps.NUM_PAIRS
    ids = bundled_set.read().table["image_id"]
    first = embedding_maps.read().pairs[0]
    assert table.loc[0, ["Melanoma", "Nevus"]].tolist() == [ids[first.first], ids[first.second]]


def test_a_different_model_in_use_is_named(monkeypatch, tmp_path):
    stub_models.add(tmp_path / "models", stub_models.card("newer-1"))
    stub_models.serve(monkeypatch, tmp_path / "models")
    assert "The model in use is a different one, newer-" in text(open_map()).replace("\u2060", "")


def test_a_map_of_an_uploaded_set_is_made_on_request_and_kept(models_in_use, drawn, monkeypatch):
    app = open_drawn(drawn)
    assert "will read 24 photographs" in text(app)
    button(app, "Make the map").click().run()
    assert not app.exception
    alt, _, _ = chart(app, "embedding_map")
    assert alt == (
        "Map of the embeddings: Melanoma 6, Basal cell carcinoma 6, Nevus 6, Vascular lesion 6."
    )
    assert "too few: 6 lesions" in app.table[0].value["Percentage"].tolist()
    pictures = [image.proto.imgs[0].alt for image in app.get("image")]
    assert pictures[0].startswith("Melanoma, melanoma_")
    assert pictures[1].startswith("Nevus, nevus_")
    monkeypatch.setattr(embedding_maps, "of_dataset", None)  # a second map would fail
    app.run()
    assert not app.exception
    assert chart(app, "embedding_map")[0] == alt


def test_photographs_that_cannot_be_read_are_counted(models_in_use, drawn, tmp_path):
    folder = draw_class_folders(tmp_path / "with_bad", num_each=6)
    (folder / KINDS[0] / "bad.png").write_bytes(b"no photograph")
    app = open_drawn(folder)
    button(app, "Make the map").click().run()
    assert "1 photograph could not be read." in text(app)


def test_a_few_photographs_are_not_enough_for_a_map(models_in_use, tmp_path):
    app = open_drawn(draw_class_folders(tmp_path / "few", num_each=2))
    assert app.info[0].value == "A map needs at least 20 photographs; this data set has 8."


def test_without_a_model_no_map_is_offered(empty_models, drawn):
    app = open_drawn(drawn)
    assert "No model is in use yet." in app.info[0].value
    assert not [b for b in app.button if b.label == "Make the map"]


def test_another_set_without_photographs_has_no_map(models_in_use):
    table = bundled_set.read().table
    dataset = datasets.Dataset("other metadata", table, (), "none", "0" * 64)
    app = open_map(catalogues.build(dataset))
    assert app.info[0].value == "This data set has no photographs to map."


def test_downloaded_points_are_escaped_and_have_no_path():
    points = embedding_maps.read().points.head(2).assign(image_id=["=1+1", "b"])
    rows = list(csv.DictReader(io.StringIO(embedding_panel.points_csv(points).decode("utf-8-sig"))))
    assert rows[0]["image_id"] == "'=1+1"
    assert {"x", "y", "diagnosis", "is_held_out", "near_MEL"} <= rows[0].keys()
    assert "path" not in rows[0]
