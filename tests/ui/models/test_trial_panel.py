"""The page Models: candidate and model in use, safety check, dialogs and history."""

import dataclasses
import io

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from melanoma_core.evaluation import comparisons, evaluate, promotion
from melanoma_core.models import journal, store
from melanoma_core.models.journal import Event, Kind
from tests.support import stub_models
from tests.support.made_candidates import measured
from tests.support.made_pages import button, choice, open_app, text
from ui import dataset_choice
from ui.models import change_dialogs, listed_photographs, trial_panel

MODELS = "pages/models.py"
NARROW = "\u202f"
WORST_CASE = "Worst case (one-sided 95 %)"
POINT = dataclasses.replace(stub_models.operating_point(), threshold=0.5)


def add(folder, model_id, evaluation, **options):
    card = stub_models.card(model_id, operating_points=(POINT,), created="2026-11-20")
    stub_models.add(folder, card, evaluation=evaluate.from_json(evaluation), **options)


@pytest.fixture
def models(tmp_path, monkeypatch):
    """The model in use, "champion", finds 36 of 40 melanomas; "worse" finds 20."""
    monkeypatch.delenv("MELANOMA_DEMO", raising=False)
    monkeypatch.setattr(comparisons, "milliseconds_per_photograph", lambda model: 12.4)
    add(tmp_path, "champion", measured(36))
    add(tmp_path, "worse", measured(20), in_use=False)
    stub_models.serve(monkeypatch, tmp_path)
    return tmp_path


def labels(app):
    return [button.label for button in app.button]


def table_of_changes(app):
    return next(table.value for table in app.table if WORST_CASE in table.value)


def test_a_worse_candidate_is_compared_with_the_model_in_use_and_fails_the_safety_check(models):
    app = open_app(MODELS)
    assert not app.exception
    assert choice(app, "Candidate").value == "worse"
    table = table_of_changes(app).set_index("Figure")
    row = table.loc["Sensitivity for melanoma, at its own threshold"]
    assert (row["In use"], row["Candidate"]) == (f"90{NARROW}%", f"50{NARROW}%")
    assert row["Difference (95 % interval)"].startswith(f"−40.0{NARROW}points (−")
    page = text(app)
    assert "On the 80 test photographs that both were tested on, 40 of melanoma:" in page
    assert "**Fails the safety check.** It finds 16 fewer of 40 melanoma photographs" in page
    assert "12 ms per photograph" in page
    assert "Promote anyway, with a reason" in labels(app)
    assert "Promote" not in labels(app)


def test_an_equal_candidate_passes_the_safety_check(models):
    add(models, "equal", measured(36), in_use=False)
    app = open_app(MODELS)
    choice(app, "Candidate").set_value("equal").run()
    assert "**Fails" not in text(app)
    assert "Passes the safety check" in text(app)
    assert "Promote" in labels(app)
    assert "Both refer the same photographs." in text(app)


def test_comparing_changes_no_file(models):
    before = {path: path.read_bytes() for path in models.rglob("*") if path.is_file()}
    app = open_app(MODELS)
    choice(app, "Candidate").set_value("worse").run()
    assert {path: path.read_bytes() for path in models.rglob("*") if path.is_file()} == before


def test_verdicts_that_differ_are_listed_and_can_be_downloaded(models):
    comparison = comparisons.compare(models, "champion", "worse")
    rows = trial_panel.readable(comparison.disagreements)
    assert list(rows["Photograph"]) == [f"i{row:03d}" for row in range(20, 36)]
    assert set(rows["Candidate"]) == {"below"}
    page = text(open_app(MODELS))
    assert "finds 0 melanoma photographs that the model in use misses, and misses 16" in page
    assert "open a data set that contains them on the page Explore" in page
    table = pd.read_csv(io.BytesIO(trial_panel.csv_file(comparison.disagreements)))
    assert list(table["image_id"]) == list(rows["Photograph"])
    assert "is_melanoma" not in table


def test_photographs_in_the_data_set_of_the_session_are_shown(models, monkeypatch):
    shown = []
    monkeypatch.setattr(dataset_choice, "paths_of", lambda ids: {"i021": "a.png", "i030": "b.png"})
    monkeypatch.setattr(
        listed_photographs.photographs, "show", lambda path, longest, alt: shown.append((path, alt))
    )
    open_app(MODELS)
    assert shown == [("a.png", "i021, Melanoma"), ("b.png", "i030, Melanoma")]


def test_models_that_cannot_be_compared_say_why(models):
    elsewhere = {name: [f"e{row}" for row in range(80)] for name in ("image_id", "group_id")}
    add(models, "elsewhere", measured(40, changed=elsewhere), in_use=False)
    app = open_app(MODELS)
    choice(app, "Candidate").set_value("elsewhere").run()
    assert "**Fails the safety check.** “elsewhere” and “champion” share no test" in text(app)
    assert "Promote anyway, with a reason" in labels(app)


def test_on_a_demo_promotion_is_off_with_a_reason_and_the_comparison_is_shown(models, monkeypatch):
    monkeypatch.setenv("MELANOMA_DEMO", "1")
    app = open_app(MODELS)
    assert "**Switched off in the demo.**" in app.info[0].value
    assert not {
        "Promote",
        "Promote anyway, with a reason",
        "Go back to an earlier model",
    } & set(labels(app))
    assert len(table_of_changes(app)) == 5


def test_the_first_model_needs_no_comparison(models):
    (models / "champion.json").unlink()
    app = open_app(MODELS)
    assert not app.exception
    assert "No model in use. This candidate would be the first." in text(app)
    assert "Promote" in labels(app)


def test_a_former_model_is_not_the_default_candidate_but_can_be_compared(models):
    add(models, "newest", measured(38))
    app = open_app(MODELS)
    candidates = choice(app, "Candidate")
    assert candidates.value == "worse"
    assert "champion (was in use)" in candidates.options
    assert "Go back to an earlier model" in labels(app)


def test_a_promoted_model_is_shown_on_the_next_run(models):
    app = open_app(MODELS)
    assert choice(app, "Model to show").value == "champion"
    promotion.promote(models, "worse", reason="Asked for by us", force=True, author="Dr Li")
    app.run()
    assert "**In use: worse**" in text(app)
    assert choice(app, "Model to show").value == "worse"
    assert choice(app, "Candidate").value is None
    assert WORST_CASE not in str([list(table.value) for table in app.table])


def in_promotion_dialog():
    from ui.models import change_dialogs

    change_dialogs.show_done()
    change_dialogs._ask_promotion("worse", ("It may be worse.",))


def in_rollback_dialog():
    from melanoma_core import paths
    from melanoma_core.models import store
    from ui.models import change_dialogs

    change_dialogs.show_done()
    change_dialogs._ask_rollback(store.champions(paths.models_dir())[1:])


def dialog(function):
    app = AppTest.from_function(function, default_timeout=60).run()
    assert not app.exception
    return app


@pytest.mark.parametrize(
    ("function", "action", "kind"),
    [
        (in_promotion_dialog, "Promote", "promotion"),
        (in_rollback_dialog, "Go back to champion", "rollback"),
    ],
)
def test_a_dialog_changes_nothing_without_a_name_and_a_reason(models, function, action, kind):
    add(models, "newest", measured(38))
    app = dialog(function)
    button(app, action).click().run()
    assert "**The name is empty.**" in app.error[0].value
    app.text_input(key=f"{kind}_name").set_value("Dr Li")
    button(app, action).click().run()
    assert "**The reason has 0 characters;**" in app.error[0].value
    assert store.champion(models).model_id == "newest"


def test_a_forced_promotion_in_the_dialog_keeps_name_and_reason(models):
    app = dialog(in_promotion_dialog)
    app.text_input(key="promotion_name").set_value("Dr Li")
    app.text_area(key="promotion_reason").set_value("Asked for by the study")
    button(app, "Promote").click().run()
    assert not app.exception
    assert "**worse is in use now.**" in app.markdown[0].value
    newest = store.champion(models)
    assert (newest.model_id, newest.author, newest.reason, newest.kind) == (
        "worse", "Dr Li", "Asked for by the study", "overruled",
    )  # fmt: skip
    (row,) = journal.rows(models)
    assert (row.event.who, row.event.kind) == ("Dr Li", Kind.OVERRULED)
    page = open_app(MODELS)
    page.session_state["model_tab"] = "Card"
    page.run()
    assert "**Promoted although it failed the safety check**" in text(page)
    assert "Asked for by the study" in text(page)


def test_the_dialog_rolls_back(models):
    add(models, "newest", measured(38))
    app = dialog(in_rollback_dialog)
    assert "made without refusal of other pictures, quality checks" in app.warning[0].value
    app.text_input(key="rollback_name").set_value("Dr Li")
    app.text_area(key="rollback_reason").set_value("Too many flags")
    button(app, "Go back to champion").click().run()
    assert "**champion is in use again.**" in app.markdown[0].value
    assert store.champion(models).kind == "rolled back"


@pytest.mark.parametrize("function", [in_promotion_dialog, in_rollback_dialog])
def test_an_open_dialog_changes_nothing_after_the_session_loses_access(
    models, monkeypatch, function
):
    add(models, "newest", measured(38))
    app = dialog(function)
    monkeypatch.setenv("MELANOMA_DEMO", "1")
    app.text_area[0].set_value("Asked for by the study")
    app.button[-1].click().run()
    assert "Switched off in the demo" in app.info[0].value
    assert store.champion(models).model_id == "newest"


def test_the_buttons_open_the_dialogs(models, monkeypatch):
    calls = []
    monkeypatch.setattr(change_dialogs, "_ask_promotion", lambda *args: calls.append(args))
    app = open_app(MODELS)
    button(app, "Promote anyway, with a reason").click().run()
    ((model_id, reasons),) = calls
    assert model_id == "worse"
    assert reasons == comparisons.compare(models, "champion", "worse").reasons


def test_history_shows_who_and_why_and_that_no_row_was_changed(models):
    journal.append(models, Event(Kind.TRAINING_ENDED, who="Dr Ng", model_id="worse"))
    promotion.promote(models, "worse", author="Dr Li", reason="Asked for by us", force=True)
    app = open_app(MODELS)
    app.session_state["model_tab"] = "History"
    app.run()
    assert not app.exception
    in_use = next(table.value for table in app.table if "From (UTC)" in table.value)
    assert list(in_use["Model"]) == ["worse", "champion"]
    assert list(in_use["Until"]) == ["in use", in_use["From (UTC)"][0]]
    assert list(in_use["How"]) == ["overruled", "not recorded"]
    rows = next(frame.value for frame in app.dataframe if "When (UTC)" in frame.value)
    assert list(rows["What"]) == ["overruled", "training ended"]
    assert list(rows["By"]) == ["Dr Li", "Dr Ng"]
    assert "2 rows, none changed" in text(app)
    path = models / journal.ROWS
    path.write_bytes(path.read_bytes().replace(b"Dr Ng", b"Dr No"))
    app.run()
    assert "**The journal was changed.**" in app.error[0].value
    assert "none changed" not in text(app)
