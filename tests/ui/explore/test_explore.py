"""Explore: the bundled set, uploaded zips, paths below one folder, and class balancing."""

import csv
import gc
import io
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from melanoma_core.audit import audits
from melanoma_core.data import balance, bundled_set, catalogues, datasets
from melanoma_core.data.catalogues import CODES_BY_GROUP
from melanoma_core.data.datasets import Dataset
from tests.support import made_models, made_sets
from tests.support.made_archives import REFUSED, class_folders, png, refuses
from tests.support.made_pages import button, chart, figure_of, open_app, text
from ui import dataset_choice, examinations
from ui.balance_charts import classes
from ui.explore import augmentation_views, distributions, gallery
from ui.formats import NOT_RECORDED, literal
from ui.theme import LIGHT

EXPLORE = "pages/explore.py"


@pytest.fixture(autouse=True)
def _alone(empty_models, monkeypatch, tmp_path_factory):
    """No model, no server folder, and a temporary folder per test."""
    monkeypatch.delenv("MELANOMA_SERVER_DATA", raising=False)
    monkeypatch.delenv("MELANOMA_DEMO", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("temporary")))


def explore(choice=None):
    app = open_app(EXPLORE)
    assert not app.exception
    if choice:
        app.selectbox[0].set_value(choice).run()
    return app


def upload(data, name="set.zip"):
    app = explore(dataset_choice.UPLOADED)
    app.file_uploader[0].set_value((name, data, "application/zip")).run()
    assert not app.exception
    return app


def open_tab(app, name):
    app.session_state["explore_tab"] = name
    app.run()
    assert not app.exception
    return app


def metrics(app):
    return {metric.label: metric.value for metric in app.metric}


def pictures(app):
    """Alternative text and URL of each picture on the page."""
    return [(image.proto.imgs[0].alt, image.proto.imgs[0].url) for image in app.get("image")]


def test_a_fresh_installation_shows_the_nine_class_set():
    app = explore()
    assert metrics(app)["Photographs"] == "2,359"
    assert metrics(app)["Patients"] == NOT_RECORDED
    assert metrics(app)["Classes"] == "9"
    alt, _, _ = chart(app, "classes")
    assert "Test: Melanoma 16" in alt
    assert f"two diagnoses{literal(': 155')}" in text(app)
    assert not app.file_uploader


def test_the_plan_on_screen_is_the_one_that_training_uses():
    app = explore()
    counts = catalogues.class_counts(catalogues.build(bundled_set.read()))["train"][:-1]  # named
    for target, method in (("even", "copies"), ("sqrt", "sampling"), ("even", "weights")):
        app.segmented_control[0].set_value(target)
        app.segmented_control[1].set_value(method).run()
        assert not app.exception
        planned = balance.planned_counts(counts, target, method)
        table = app.dataframe[0].value
        assert table["Training"].tolist() == counts.tolist()
        assert table["Per epoch"].tolist() == planned.tolist()
        assert f"--balance {target} --balance-by {method}" in text(app)
        assert metrics(app)["Photographs per epoch"].endswith(f"{planned.sum():,}")
    np.testing.assert_allclose(
        table["Weight in the loss"], balance.class_weights(counts), atol=1e-4
    )


def test_the_plan_can_use_the_clean_table():
    app = explore()
    assert "--balance-by sampling --no-clean" in text(app)
    app.toggle(key="explore_clean").set_value(True).run()
    assert not app.exception
    assert "--no-clean" not in text(app)
    dataset = bundled_set.read()
    audit = audits.audit(dataset, bundled_set.references(dataset.table))
    clean, _ = audits.clean(dataset, audit.findings)
    training_counts = Counter(clean[clean["split"] == "train"]["diagnosis"])
    table = app.dataframe[0].value
    assert dict(zip(table["Code"], table["Training"], strict=True)) == training_counts
    assert table["Training"].sum() < 2241


def test_an_unexamined_set_is_counted_as_it_is():
    app = upload(class_folders(3))
    assert app.toggle(key="explore_clean").disabled
    assert "--no-clean" in text(app)


def test_a_floor_raises_rare_classes_to_it():
    app = explore()
    app.segmented_control[0].set_value("floor")
    app.segmented_control[1].set_value("copies").run()
    app.number_input[0].set_value(200).run()
    after = app.dataframe[0].value.set_index("Code")["Per epoch"]
    assert after["SK"] == after["DF"] == 200
    assert after["MEL"] == 438
    assert "--oversample-to 200" in text(app)
    assert "only augmented copies reach n itself" not in text(app)
    app.segmented_control[1].set_value("sampling").run()
    assert "only augmented copies reach n itself" in text(app)


def test_imbalance_is_shown_before_and_after():
    app = explore()
    app.segmented_control[0].set_value("even")
    app.segmented_control[1].set_value("copies").run()
    assert metrics(app)["Largest to smallest"] == "6.0 : 1 → 1.0 : 1"
    assert metrics(app)["Effective classes, of 9"] == "7.5 → 9.0"


def test_bars_have_the_colors_of_the_diagnoses_and_the_plan_is_an_outline():
    counts = {"train": np.array([30, 10]), "test": np.array([3, 2])}
    figure = figure_of(classes(counts, ("MEL", "NV"), {"train": np.array([30.0, 30.0])}, LIGHT))
    solid, outline, _, test, _ = figure.data
    assert solid.marker.color == ("#C32A36", "#1760D5")
    assert outline.marker.color == "rgba(0,0,0,0)"
    assert list(outline.x) == [30, 30]
    assert list(test.x) == [3, 2]


def test_an_uploaded_zip_is_read_and_shown_a_page_at_a_time():
    app = upload(class_folders(num_nevi=25))
    assert metrics(app)["Photographs"] == "26"
    assert len(pictures(app)) == gallery.PAGE_SIZE
    assert "1 to 12 of 26, page 1 of 3" in text(app)
    button(app, "Next").click().run()
    button(app, "Next").click().run()
    assert "25 to 26 of 26, page 3 of 3" in text(app)
    assert len(pictures(app)) == 2
    assert button(app, "Next").disabled


def test_lesions_that_are_benign_without_a_name_have_a_bar_of_their_own(tmp_path):
    root = made_models.draw_challenge(tmp_path / "set", num_each=3)
    app = upload(made_sets.zipped(root, tmp_path / "isic2020.zip").read_bytes())
    assert metrics(app)["Photographs"] == "9"
    assert metrics(app)["Patients"] == "9"
    assert metrics(app)["Classes"] == "2"
    alt, spec, _ = chart(app, "classes")
    assert "Benign, not named 3" in alt
    assert spec["data"][0]["y"] == ["Melanoma", "Nevus", "Benign, not<br>named"]
    assert sum("Benign, not named, ISIC_" in alt for alt, _ in pictures(app)) == 3
    assert "Benign, and no table names the diagnosis" in text(app)


def test_filters_narrow_the_gallery_and_return_to_its_first_page():
    app = upload(class_folders(num_nevi=25))
    button(app, "Next").click().run()
    diagnosis = next(m for m in app.multiselect if m.label == "Diagnosis")
    assert diagnosis.options == ["Melanoma (1)", "Nevus (25)"]
    diagnosis.set_value(["MEL"]).run()
    assert [alt for alt, _ in pictures(app)] == ["Melanoma, m"]
    next(m for m in app.multiselect if m.label == "Split").set_value(["train"]).run()
    assert "No photograph matches all filters" in app.info[0].value


def test_a_photograph_is_enlarged_with_its_row_until_it_is_closed():
    app = upload(class_folders(num_nevi=3))
    button(app, "m").click().run()
    row = app.table[0].value.set_index("Column")["Value"]
    assert row["diagnosis"] == "MEL"
    assert row["split"] == "test"
    assert row["lesion\\_id"] == NOT_RECORDED
    assert not any("path" in name for name in row.index)
    button(app, "Close").click().run()
    assert not app.table


def test_the_reason_is_shown_in_place_of_an_unreadable_photograph():
    app = upload(class_folders(num_nevi=2, **{"Train/nevus/bad.png": b"no photograph"}))
    assert len(pictures(app)) == 3
    assert ":material/broken_image:" in text(app)
    assert "bad.png" in text(app)


@pytest.mark.parametrize(("data", "words"), REFUSED.values(), ids=REFUSED)
def test_bad_archives_are_refused_with_a_reason_and_leave_nothing(data, words):
    app = upload(data, "my set.zip")
    (error,) = app.error
    assert refuses(error.value, words, "my set")
    assert tempfile.gettempdir() not in error.value
    assert not app.metric
    assert left_behind() == []


def left_behind():
    return [path.name for path in Path(tempfile.gettempdir()).glob("dataset-*")]


def test_a_refusal_disappears_with_the_next_archive():
    app = upload(b"no zip")
    assert app.error
    app.file_uploader[0].set_value(("b.zip", class_folders(3), "application/zip")).run()
    assert not app.error
    assert metrics(app)["Photographs"] == "4"


def test_unpacked_archives_are_removed_with_the_session_or_when_replaced():
    app = upload(class_folders(num_nevi=2))
    (first,) = left_behind()
    app.file_uploader[0].set_value(("b.zip", class_folders(5), "application/zip")).run()
    (second,) = left_behind()
    assert first != second
    del app.session_state["dataset_open"]
    app = None
    gc.collect()
    assert left_behind() == []


def test_an_uploaded_archive_is_removed_on_request_or_when_another_set_is_chosen():
    app = upload(class_folders(2))
    assert left_behind()
    button(app, "Remove now").click().run()
    assert left_behind() == []
    assert not app.metric
    app = upload(class_folders(2))
    assert left_behind()
    app.selectbox[0].set_value(dataset_choice.BUNDLED).run()
    assert left_behind() == []


def test_hostile_archive_names_become_plain_file_names():
    app = upload(class_folders(2), "../../.x/" + "ä" * 300 + "**.zip")
    assert metrics(app)["Photographs"] == "3"


def test_server_paths_are_offered_only_if_the_operator_named_a_folder(monkeypatch, tmp_path):
    assert dataset_choice.ON_SERVER not in explore().selectbox[0].options
    monkeypatch.setenv("MELANOMA_SERVER_DATA", str(tmp_path))
    assert dataset_choice.ON_SERVER in explore().selectbox[0].options
    monkeypatch.setenv("MELANOMA_DEMO", "1")
    assert dataset_choice.ON_SERVER not in explore().selectbox[0].options


def test_a_data_set_in_the_server_folder_is_read_in_place(monkeypatch, tmp_path):
    folder = tmp_path / "sets" / "mine" / "nevus"
    folder.mkdir(parents=True)
    (folder / "a.png").write_bytes(png((90, 80, 70)))
    monkeypatch.setenv("MELANOMA_SERVER_DATA", str(tmp_path / "sets"))
    app = explore(dataset_choice.ON_SERVER)
    assert not app.metric
    assert app.selectbox[1].options == ["mine"]
    app.selectbox[1].set_value("mine").run()
    assert not app.exception
    assert metrics(app)["Photographs"] == "1"
    assert "No split is recorded" in text(app)


def test_an_imported_data_set_is_offered_by_name_but_not_in_the_demo(monkeypatch, tmp_path):
    assert dataset_choice.IMPORTED not in explore().selectbox[0].options
    (tmp_path / "mine.zip").write_bytes(class_folders(num_nevi=2))
    datasets.read(tmp_path / "mine.zip")  # as a training does
    app = explore(dataset_choice.IMPORTED)
    (name,) = app.selectbox[1].options
    assert name.startswith("mine-")
    assert not app.metric
    app.selectbox[1].set_value(name).run()
    assert not app.exception
    assert metrics(app)["Photographs"] == "3"
    monkeypatch.setenv("MELANOMA_DEMO", "1")
    assert dataset_choice.IMPORTED not in explore().selectbox[0].options


def test_a_path_outside_the_server_folder_is_refused(monkeypatch, tmp_path):
    (tmp_path / "sets").mkdir()
    monkeypatch.setenv("MELANOMA_SERVER_DATA", str(tmp_path / "sets"))
    app = open_app()
    app.session_state["dataset_source"] = dataset_choice.ON_SERVER
    app.session_state["dataset_path"] = "../.."
    app.switch_page(EXPLORE).run()
    assert not app.exception
    assert "is not a folder or zip in" in app.error[0].value
    assert str(tmp_path) not in app.error[0].value
    assert not app.metric


def test_augmentation_shows_the_photograph_and_twelve_views():
    app = open_tab(explore(), "Augmentation")
    assert "Synthetic lesion" in text(app)
    original, *views = pictures(app)
    assert len(views) == augmentation_views.NUM_VIEWS
    assert len({url for _, url in views}) == 12
    augmentation = next(c for c in app.segmented_control if c.label == "Augmentation")
    augmentation.set_value("none").run()
    original, *views = pictures(app)
    assert {url for _, url in views} == {original[1]}
    button(app, "Another photograph").click().run()
    assert pictures(app)[0][1] != original[1]


def test_augmentation_uses_a_photograph_of_the_set_if_there_are_any():
    app = open_tab(upload(class_folders(2)), "Augmentation")
    assert "m, Melanoma" in text(app)


def test_missing_values_have_a_bar_of_their_own():
    app = open_tab(explore(), "Age and sex")
    alt, spec, _ = chart(app, "explore_Age, years")
    assert "not recorded 568" in alt
    ages = [cell for cell in bundled_set.read().table["age_approx"] if cell == cell]
    assert sum(spec["data"][0]["x"]) - 568 == len(ages)
    next(s for s in app.selectbox if s.label == "Diagnosis").set_value("MEL").run()
    _, spec, _ = chart(app, "explore_Sex")
    assert sum(spec["data"][0]["x"]) == 438 + 16
    app = open_tab(app, "Skin tone")
    assert chart(app, "explore_Skin tone")[0] == "Skin tone: not recorded 2,359."


def test_image_sizes_are_read_from_the_files_and_unreadable_files_are_counted():
    app = upload(class_folders(3, **{"Train/nevus/bad.png": b"no photograph"}))
    app = open_tab(app, "Image sizes")
    alt, _, _ = chart(app, "explore_Width")
    assert alt == "Width × height, pixels: 80 × 64 4, could not be read 1."


def test_names_of_values_are_not_html():
    figure = figure_of(distributions.bars({"<b>x</b>": 3, NOT_RECORDED: 1}, LIGHT))
    assert list(figure.data[0].y) == ["&lt;b>x&lt;/b>", NOT_RECORDED]
    assert figure.data[0].marker.color[1] == LIGHT.rest


def test_the_downloaded_table_is_escaped_and_has_no_path(tmp_path):
    folder = tmp_path / "set" / "nevus"
    folder.mkdir(parents=True)
    (folder / "=cmd().png").write_bytes(b"")
    table = datasets.read(tmp_path / "set").table
    written = gallery.csv_file(table, np.array([0])).decode("utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(written))
    assert row["image_id"] == "'=cmd()"
    assert row["lesion_id"] == ""
    assert str(tmp_path) not in written


@pytest.mark.alone
def test_paging_through_hundreds_of_thousands_of_rows_is_fast():
    table = pd.concat([bundled_set.read().table] * 100, ignore_index=True)
    large = Dataset("large", table, (), "none", "0" * 64)
    app = open_app()
    catalogue = catalogues.build(large)
    app.session_state["dataset_open"] = dataset_choice.OpenDataset(
        dataset_choice.BUNDLED, catalogue
    )
    # A set this large is examined in a background thread, which has not started.
    app.session_state["dataset_examination"] = examinations.Examination(catalogue, ())
    app.switch_page(EXPLORE).run()
    assert metrics(app)["Photographs"] == "235,900"
    started = time.monotonic()
    button(app, "Next").click().run()
    next(m for m in app.multiselect if m.label == "Diagnosis").set_value(["MEL"]).run()
    assert "1 to 15 of 45,400" in text(app)
    next(n for n in app.number_input if n.label == "Go to page").set_value(3_000).run()
    assert "44,986 to 45,000 of 45,400, page 3,000 of 3,027" in text(app)
    button(app, "Previous").click().run()
    assert "page 2,999 of 3,027" in text(app)
    assert time.monotonic() - started < 8  # four runs, on a busy machine


def test_classes_are_listed_malignant_first():
    assert CODES_BY_GROUP[:4] == ("MEL", "BCC", "SCC", "AK")
