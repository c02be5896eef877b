"""The page About, with and without a model."""

import dataclasses

from melanoma_core import __version__
from melanoma_core.models.cards import DatasetUse
from tests.support import stub_models
from tests.support.made_pages import open_app, text

ABOUT = "pages/about.py"
NARROW = "\u202f"


def tables(app):
    return "\n".join(table.value.to_string() for table in app.table)


def test_without_a_model_it_still_says_what_the_app_is_for(empty_models):
    app = open_app(ABOUT)
    assert not app.exception
    assert "No model is in use yet" in app.info[0].value
    page = text(app)
    assert "Research and education; not a medical device; the decision is the clinician’s." in page
    assert "photographs taken without a dermatoscope" in page
    for heading in ("Intended use", "Privacy", "Licenses and credits", "Versions"):
        assert heading in [header.value for header in app.header]
    assert not app.table


def test_the_version_of_the_app_is_named(empty_models):
    assert f"This is version {__version__} of the app. It runs on Python" in text(open_app(ABOUT))


def test_every_figure_comes_from_the_card(tmp_path, monkeypatch):
    stub_models.add(tmp_path)
    stub_models.serve(monkeypatch, tmp_path)
    app = open_app(ABOUT)
    assert not app.exception
    shown = tables(app)
    for figure in ("1,008", "7,019", "CC BY-NC 4.0", "0.910 (0.890–0.930)", "205 of 216"):
        assert figure in shown
    assert f"95{NARROW}% (91–97{NARROW}%)" in shown
    assert "not recorded" in shown
    assert "nine-2026-11-14" in text(app)

    other = dataclasses.replace(stub_models.card("other-1"), temperature=2.5)
    stub_models.add(tmp_path, other)
    assert "temperature (2.50)" in text(app.run())


def test_color_cast_limits_are_given_if_the_model_has_any(tmp_path, monkeypatch):
    stub_models.add(tmp_path, stub_models.card(color_cast_limits=(0.0, 0.6931, -0.6931, 0.0953)))
    stub_models.serve(monkeypatch, tmp_path)
    app = open_app(ABOUT)
    assert "mean red is kept within 1.00 to 2.00 times mean green" in text(app)
    stub_models.add(tmp_path, stub_models.card("other-1"))
    assert "color cast" not in text(app.run())


def test_the_page_says_how_long_the_name_of_a_refused_file_is_kept(empty_models):
    page = text(open_app(ABOUT))
    assert "the message that names it stays in your session until the next photograph" in page


def test_text_of_a_card_is_shown_literally(tmp_path, monkeypatch):
    stub_models.add(tmp_path, stub_models.card(not_for=("**nails** :smile:",)))
    stub_models.serve(monkeypatch, tmp_path)
    app = open_app(ABOUT)
    assert r"\*\*nails\*\* \:" in text(app)
    assert r"my\*set\*" in tables(app)


def test_data_sets_of_parent_models_are_named_with_their_license(tmp_path, monkeypatch):
    inherited = (DatasetUse("clinic", "CC BY-ND 4.0", "ab" * 32, 1200, 2, 3),)
    stub_models.add(tmp_path, stub_models.card(inherited_datasets=inherited))
    stub_models.serve(monkeypatch, tmp_path)
    app = open_app(ABOUT)
    assert "clinic (from parent models)" in tables(app)
    assert "CC BY-ND 4.0" in tables(app)
    assert "Data sets marked “from parent models” are not counted here." in text(app)


def test_training_counts_and_what_was_not_recorded_come_from_the_card(tmp_path, monkeypatch):
    stub_models.add(tmp_path)
    stub_models.serve(monkeypatch, tmp_path)
    page = text(open_app(ABOUT))
    assert "The model was trained on 3,106 lesions." in page
    assert "| 70–79 | 900 |" in page
    assert "| mucosa | **0**, too few |" in page
    assert "| Skin tone | Lesions |\n| :-- | --: |\n| not recorded | 3,106 |" in page
