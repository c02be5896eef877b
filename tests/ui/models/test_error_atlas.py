"""The tab Errors: the list, its filters and download, and the cards of the photographs."""

import dataclasses
import io

import numpy as np
import pandas as pd
import pytest

from melanoma_core.diagnoses import BY_CODE, CODES
from melanoma_core.evaluation import error_table, subgroups
from melanoma_core.images import reading, synthetic
from melanoma_core.models import assessments, similar_cases
from melanoma_core.models.quality_checks import Finding, Limit
from tests.support import stub_models
from tests.support.made_evaluations import drawn
from tests.support.made_pages import button, choice, open_app, text
from ui import dataset_choice
from ui.models import error_atlas, examined_photographs

EVALUATION = drawn(300)
TABLE = error_table.build(EVALUATION, 0.084)
NARROW = "\u202f"
PAIR = "True diagnosis → likeliest diagnosis"
BLUR = Finding("blur", "severe", "Blurred: fine structure is at 12 % of what it should be.")
SHARP = Finding("blur", "ok", "Sharp.")


@pytest.fixture
def models(tmp_path, monkeypatch):
    card = stub_models.card(quality_limits={"blur": Limit(1.0, 2.0)})
    stub_models.add(tmp_path, card, evaluation=EVALUATION)
    stub_models.serve(monkeypatch, tmp_path)
    return tmp_path


@pytest.fixture
def photographs(models, tmp_path, monkeypatch):
    """A data set with every test photograph; the examined ones are listed, each second blurred."""
    path = tmp_path / "photograph.png"
    path.write_bytes(reading.png(synthetic.lesion(0, (64, 80))))
    ids = list(EVALUATION.table["image_id"])
    monkeypatch.setattr(
        dataset_choice, "paths_of", lambda wanted: {i: str(path) for i in wanted if i in ids}
    )
    examine, examined = assessments.examine, []

    def examine_and_note(model, image):
        examined.append(image)
        finding = BLUR if len(examined) % 2 else SHARP
        return dataclasses.replace(examine(model, image), findings=(finding,))

    monkeypatch.setattr(assessments, "examine", examine_and_note)
    return examined


@pytest.fixture
def similar(monkeypatch):
    """The model has an index of three training lesions."""
    rows = pd.DataFrame(
        {
            "image_id": ["t1", "i1", "t3"],
            "lesion_id": ["a", "b", "c"],
            "group_id": ["a", "b", "c"],
            "diagnosis": ["NV", "MEL", "NV"],
            "source": "made",
        }
    )
    embeddings = np.array([[3.0], [5.0], [9.0]], np.float32)
    kernel = np.linspace(0, 1, len(CODES), dtype=np.float32)[np.newaxis]
    index = similar_cases.build(embeddings, kernel, rows, {})
    model_of = examined_photographs.model_of
    monkeypatch.setattr(
        examined_photographs,
        "model_of",
        lambda record: dataclasses.replace(model_of(record), index=index),
    )


def errors_tab():
    app = open_app("pages/models.py")
    app.session_state["model_tab"] = "Errors"
    app.run()
    assert not app.exception
    return app


def rows_of(app):
    return next(frame.value for frame in app.dataframe if "Verdict" in frame.value)


def alts(app):
    return [image.proto.imgs[0].alt for image in app.get("image")]


def test_every_kind_of_error_and_every_confusion_has_the_count_of_the_matrix(models):
    app = errors_tab()
    matrix = subgroups.confusion(EVALUATION)
    num_confused = matrix.sum() - np.trace(matrix)
    kinds = app.segmented_control(key="errors_kind")
    assert f"Another diagnosis likeliest ({num_confused})" in kinds.options
    pair = choice(app, PAIR)
    assert pair.options[0] == f"All ({num_confused})"
    assert len(pair.options) == 1 + np.count_nonzero(matrix) - np.count_nonzero(np.diag(matrix))
    number = matrix[CODES.index("MEL"), CODES.index("NV")]
    assert f"Melanoma → nevus ({number})" in pair.options
    assert len(rows_of(app)) == number  # the one shown first
    for kind in (error_table.MISSED, error_table.NEEDLESS):
        app.segmented_control(key="errors_kind").set_value(kind).run()
        assert list(rows_of(app)["Photograph"]) == list(TABLE.loc[TABLE[kind], "image_id"])


def test_errors_are_filtered_by_source_and_confusion_and_can_be_downloaded(models):
    app = errors_tab()
    choice(app, PAIR).set_value(("NV", "MEL")).run()
    is_pair = (TABLE["diagnosis"] == "NV") & (TABLE["likeliest"] == "MEL")
    assert list(rows_of(app)["Photograph"]) == list(TABLE.loc[is_pair, "image_id"])
    choice(app, PAIR).set_value("all").run()
    app.multiselect[0].set_value(["isic2017"]).run()
    is_shown = TABLE["is_confused"] & (TABLE["source"] == "isic2017")
    assert list(rows_of(app)["Photograph"]) == list(TABLE.loc[is_shown, "image_id"])
    content = error_atlas.csv_file(TABLE, {TABLE["image_id"][0]: (BLUR,)})
    downloaded = pd.read_csv(io.BytesIO(content))
    assert list(downloaded["image_id"]) == list(TABLE["image_id"])
    assert list(downloaded["quality_findings"][:2]) == [BLUR.message, "not examined"]


def test_cells_of_the_download_run_no_formula():
    table = TABLE.assign(source="=1+1")
    assert b",=1+1" not in error_atlas.csv_file(table, {})


def test_without_photographs_the_list_says_so(models):
    app = errors_tab()
    assert "The list works from ids alone" in text(app)
    assert not alts(app)
    assert "Quality finding" not in [box.label for box in app.selectbox]


def test_only_the_photographs_of_the_page_are_examined(photographs):
    app = errors_tab()
    photographs.clear()
    choice(app, PAIR).set_value("all").run()
    assert len(photographs) == 6
    rows = TABLE[TABLE["is_confused"]]
    ids = list(rows["image_id"])
    likeliest = BY_CODE[rows["likeliest"].iat[0]].name.lower()
    assert alts(app)[:2] == [f"Photograph {ids[0]}", f"Evidence for {likeliest} in {ids[0]}"]
    assert len(alts(app)) == 12
    page = text(app)
    assert page.count(BLUR.message) == 3
    assert page.count("No finding on the quality of this photograph.") == 3
    assert "This model has no index of similar reference lesions." in page
    button(app, "Next").click().run()
    assert len(photographs) == 12
    assert f"Photograph {ids[6]}" in alts(app)
    app.segmented_control(key="errors_evidence").set_value("the true diagnosis").run()
    true = BY_CODE[rows["diagnosis"].iat[6]].name.lower()
    assert f"Evidence for {true} in {ids[6]}" in alts(app)


def test_similar_training_lesions_are_shown_with_their_pictures(photographs, similar):
    app = errors_tab()
    choice(app, PAIR).set_value("all").run()
    page = text(app)
    assert page.count("**Most similar reference lesions**") == 6
    assert "Nevus  \n:small[:gray[distance " in page
    assert "Melanoma, i1" in alts(app)  # the only one of the data set that is open
    assert not any("t1" in alt for alt in alts(app))


def test_errors_are_filtered_by_quality_finding(photographs):
    app = errors_tab()
    ids = list(rows_of(app)["Photograph"])
    label = f"Look for quality findings in all {len(ids)} photographs"
    button(app, label).click().run()
    assert len(photographs) >= len(ids)
    finding = choice(app, "Quality finding")
    assert finding.options[0] == "All photographs"
    assert finding.options[1].startswith("Blur (")
    finding.set_value("blur").run()
    blurred = rows_of(app)["Photograph"]
    assert 0 < len(blurred) < len(ids)
    assert label not in [button.label for button in app.button]


def test_a_photograph_that_cannot_be_read_has_a_card_with_the_reason(models, monkeypatch):
    monkeypatch.setattr(
        dataset_choice, "paths_of", lambda wanted: dict.fromkeys(wanted, "/nowhere/gone.png")
    )
    page = text(errors_tab())
    assert "gone.png” cannot be opened" in page.replace("\\", "")
    assert "/nowhere" not in page
