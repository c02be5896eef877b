"""Data doctor: faults of the bundled set, uploaded sets, references, the clean table."""

import csv
import dataclasses
import gc
import io
import tempfile
import threading

import pytest

from benchmarks.data import planted_copies
from melanoma_core.audit import audits, leakage_checks
from melanoma_core.data import bundled_set, catalogues, datasets
from melanoma_core.images import reading, synthetic
from tests.support import made_evidence
from tests.support.made_archives import REFUSED, class_folders, refuses, zip_of
from tests.support.made_pages import button, chart, open_app, text
from ui import dataset_choice, examinations, finding_text
from ui.doctor import clean_table_panel, examination_panel, finding_rows
from ui.formats import literal

DOCTOR, EXPLORE = "pages/doctor.py", "pages/explore.py"
SECONDS = 60  # for ten photographs on a busy machine


@pytest.fixture(autouse=True)
def _alone(empty_models, monkeypatch, tmp_path_factory):
    """No model, no server folder, and a temporary folder per test."""
    monkeypatch.delenv("MELANOMA_SERVER_DATA", raising=False)
    monkeypatch.delenv("MELANOMA_DEMO", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("temporary")))


@pytest.fixture(scope="module")
def faulty():
    """A zip of class folders with one of each fault, in pictures drawn by code."""
    pictures = [reading.jpeg(synthetic.lesion(seed, (120, 160))) for seed in range(6)]
    return zip_of(
        **{
            "Train/nevus/ISIC_9900001.jpg": pictures[1],
            "Train/nevus/ISIC_9900001 (1).jpg": pictures[1],
            "Train/nevus/ISIC_9900003.jpg": pictures[3],
            "Train/melanoma/ISIC_9900004.jpg": pictures[4],
            "Train/melanoma/=bad.jpg": b"no photograph",
            "Test/nevus/ISIC_9900013.jpg": planted_copies.copy(pictures[3], "rotated 90°"),
            "Test/nevus/ISIC_9900004.jpg": pictures[4],
            "Test/melanoma/ISIC_9900005.jpg": pictures[5],
        }
    )


def doctor():
    app = open_app(DOCTOR)
    assert not app.exception
    return app


def upload(data, name="set.zip"):
    app = doctor()
    app.selectbox[0].set_value(dataset_choice.UPLOADED).run()
    app.file_uploader[0].set_value((name, data, "application/zip")).run()
    assert not app.exception
    return app


def finish(app):
    """Wait for the examination, and show its result."""
    app.session_state["dataset_examination"].audit(SECONDS)
    app.run()
    assert not app.exception
    return app


def examined(data):
    app = upload(data)
    button(app, "Examine").click().run()
    return finish(app)


def opened(app, kind):
    app.session_state[f"doctor_open_{kind}"] = True
    app.run()
    assert not app.exception
    return app


def table(app, column):
    """The table on the page that has this column."""
    return next(frame.value for frame in app.dataframe if column in frame.value)


def pictures(app):
    return [image.proto.imgs[0].alt for image in app.get("image")]


def rows_of(data):
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))


def test_a_fresh_installation_shows_what_is_wrong_with_the_nine_class_set():
    app = doctor()
    (warning,) = app.warning
    assert warning.value == (
        "**155 photographs carry two different diagnoses, and 18 test photographs were also used "
        "in training.** Figures from this split would be too high."
    )
    shown = text(app)
    assert "2,359 files with 2,202 image IDs" in shown
    assert "**39** test photographs show a lesion that is also in training" in shown
    assert "**1** class is also filed in full under another diagnosis" in shown
    assert "**4** pairs of files have identical pixels under two names" in shown
    assert "**98** photographs have another diagnosis in a published table" in shown
    assert "Near copies can be found only in photographs" in shown
    assert [heading.value for heading in app.subheader] == [
        "Invalidates the test", "Invalidates the labels", "Worth knowing", "The clean table"
    ]  # fmt: skip
    assert not app.file_uploader


def test_checks_are_listed_with_those_that_need_photographs():
    app = doctor()
    looked_for = table(app, "Looked for").set_index("Looked for")["Found"]
    assert len(looked_for) == len(audits.CHECKS)
    assert looked_for["One photograph under two diagnoses"] == "155"
    assert looked_for["Near copies under two diagnoses"] == "needs the photographs"
    assert looked_for["Sources that differ between splits"] == "none"
    known = table(app, "Reference").set_index(["Reference diagnosis", "Filed here as"])["Files"]
    assert known["Actinic keratosis", "Squamous cell carcinoma"] == 192
    assert known["Melanoma", "Seborrheic keratosis"] == 22


def test_findings_without_photographs_are_tables_of_ids_in_pages():
    app = opened(doctor(), "contradicts_table")
    files = table(app, "Published diagnosis")
    assert files["Group"].nunique() == finding_rows.GROUPS_PER_TABLE_PAGE
    assert "1 to 10 of 98, page 1 of 10" in text(app)
    assert "The photographs are not part of the app" in text(app)
    assert not pictures(app)
    next(b for b in app.button if b.label == "Next").click().run()
    assert table(app, "Published diagnosis")["Group"].min() == 11
    app = opened(app, "copied_classes")
    assert "1 to 10 of 78" in text(app)


def test_the_clean_table_shows_what_was_dropped_and_what_is_left():
    app = doctor()
    assert "Dropped" not in text(app)
    button(app, "Make the clean table").click().run()
    assert not app.exception
    nine = bundled_set.read()
    audit = audits.audit(nine, bundled_set.references(nine.table))
    cleaned, changes = audits.clean(nine, audit.findings)
    num_dropped = sum(change.is_dropped for change in changes)
    assert len(cleaned) == 2359 - num_dropped
    assert f"**Dropped {num_dropped} of 2,359 rows**, and changed the diagnosis of 3 rows." in text(
        app
    )
    reasons = table(app, "Reason").set_index("Reason")["Rows"]
    assert reasons.sum() == len(changes)
    alt, spec, _ = chart(app, "doctor_bars")
    num_melanomas = (cleaned.query("split == 'train'")["diagnosis"] == "MEL").sum()
    assert f"Training: Melanoma 438 → {num_melanomas}" in alt
    assert "Classes left empty by cleaning: Seborrheic keratosis." in text(app)
    assert len([bars for bars in spec["data"] if bars["type"] == "bar"]) == 4


def test_single_corrections_can_be_switched_off():
    app = doctor()
    button(app, "Make the clean table").click().run()
    for box in app.checkbox:
        if box.label != "Keep one of several identical files":
            box.uncheck()
    app.run()
    assert "**Dropped 4 of 2,359 rows**. 2,355 photographs left." in text(app)
    app.checkbox[-1].uncheck().run()
    # Two more files repeat an image ID in the same class and split, so they are dropped always.
    assert "**Dropped 2 of 2,359 rows**" in text(app)


def test_an_uploaded_set_is_examined_on_request(faulty):
    app = upload(faulty)
    assert not app.warning
    button(app, "Examine").click().run()
    assert not app.exception
    app = finish(app)
    (warning,) = app.warning
    assert warning.value == (
        "**1 photograph carries two different diagnoses, and 1 test photograph was also used in "
        "training.** Figures from this split would be too high."
    )
    assert "**1** test photograph has a near copy in training" in text(app)
    assert "**1** file cannot be read" in text(app)
    button(app, "Examine again")


def test_photographs_of_a_finding_are_shown_side_by_side(faulty):
    app = opened(examined(faulty), "near_copy_in_two_splits")
    assert pictures(app) == ["ISIC_9900013, Test, Nevus", "ISIC_9900003, Training, Nevus"]
    app = opened(app, "unreadable")
    assert f"{literal('“=bad.jpg”')}" in text(app)
    (reason,) = table(app, "Files")["Detail"]
    assert reason.startswith("“=bad.jpg”")


def test_downloads_are_escaped_and_have_no_path(faulty, tmp_path):
    (tmp_path / "set.zip").write_bytes(faulty)
    dataset = datasets.read(tmp_path / "set.zip")
    audit = audits.audit(dataset)
    finding = next(finding for finding in audit.findings if finding.kind == "unreadable")
    written = finding_rows.csv_file(finding, dataset.table)
    (row,) = rows_of(written)
    assert (row["image_id"], row["file"], row["split"]) == ("'=bad", "'=bad.jpg", "train")
    cleaned, changes = audits.clean(dataset, audit.findings)
    clean_csv = clean_table_panel.table_csv(cleaned)
    assert [row["image_id"] for row in rows_of(clean_csv)] == list(cleaned["image_id"])
    changed = clean_table_panel.changes_csv(changes, dataset.table)
    assert len(rows_of(changed)) == len(changes)
    assert all(row["reason"] for row in rows_of(changed))
    small = next(finding for finding in audit.findings if finding.kind == "small_classes")
    assert len(rows_of(finding_rows.csv_file(small, dataset.table))) == small.count
    for data in (written, clean_csv, changed):
        assert str(tmp_path).encode() not in data


def test_a_set_without_serious_faults_is_reported_as_valid():
    app = examined(zip_of(**{
        f"nevus/ISIC_990000{n}.jpg": reading.jpeg(synthetic.lesion(n, (120, 160))) for n in (1, 2)
    }))  # fmt: skip
    assert not app.warning
    assert "Nothing invalidates the test or the labels" in app.info[0].value
    looked_for = table(app, "Looked for").set_index("Looked for")["Found"]
    assert looked_for["The same lesion on both sides of a split"] == "no split is recorded"
    assert not [button for button in app.button if button.label == "Make the clean table"]


def test_an_unreadable_file_is_named_and_the_others_are_examined():
    app = examined(class_folders(3, **{"Train/nevus/cut off.png": b"\x89PNG\r\n\x1a\n"}))
    app = opened(app, "unreadable")
    assert "**1** file cannot be read" in text(app)
    assert "cut off.png" in text(app)
    button(app, "Make the clean table").click().run()
    assert "**Dropped 1 of 5 rows**" in text(app)


@pytest.mark.parametrize(("data", "words"), REFUSED.values(), ids=REFUSED)
def test_bad_archives_are_refused_with_a_reason(data, words):
    app = upload(data, "my set.zip")
    (error,) = app.error
    assert refuses(error.value, words, "my set")
    assert tempfile.gettempdir() not in error.value
    assert [button.label for button in app.button if "xamine" in button.label] == []


def test_references_in_the_server_folder_are_used(monkeypatch, tmp_path, faulty):
    table_of_ids = "lesion_id,image_id,dx,dx_type,age,sex,localization\n"
    for number, word in ((1, "mel"), (3, "nv"), (5, "mel")):
        table_of_ids += f"HAM_{number % 4},ISIC_990000{number},{word},histo,45,male,back\n"
    archive = {f"ISIC_990000{number}.jpg": b"" for number in (1, 3, 5)}
    (tmp_path / "ham.zip").write_bytes(zip_of(**archive, **{"HAM10000_metadata.csv": table_of_ids}))
    monkeypatch.setenv("MELANOMA_SERVER_DATA", str(tmp_path))
    app = upload(faulty)
    app.multiselect[0].set_value([examination_panel.INCLUDED, "ham.zip"]).run()
    button(app, "Examine").click().run()
    app = finish(app)
    assert "**1** photograph has another diagnosis in a published table" in text(app)
    assert "**1** test photograph shows a lesion that is also in training" in text(app)
    app = opened(app, "contradicts_table")
    assert "Published table: Melanoma" in text(app)


def test_imported_sets_can_be_references_but_not_in_the_demo(monkeypatch, tmp_path):
    (tmp_path / "sets" / "ham-0123").mkdir(parents=True)
    monkeypatch.setenv("MELANOMA_DATASETS", str(tmp_path / "sets"))
    app = upload(class_folders(2))
    assert app.multiselect[0].options == [examination_panel.INCLUDED, "ham-0123"]
    app.multiselect[0].set_value(["ham-0123"]).run()
    button(app, "Examine").click().run()
    app.session_state["dataset_examination"]._audit.exception(SECONDS)
    app.run()
    assert "ham-0123 holds no photographs" in app.error[0].value
    monkeypatch.setenv("MELANOMA_DEMO", "1")
    assert upload(class_folders(2)).multiselect[0].options == [examination_panel.INCLUDED]


def test_a_reference_outside_the_server_folder_is_refused(monkeypatch, tmp_path):
    (tmp_path / "sets").mkdir()
    monkeypatch.setenv("MELANOMA_SERVER_DATA", str(tmp_path / "sets"))
    app = upload(class_folders(2))
    app.multiselect[0].set_value(["../.."]).run()
    assert not app.exception
    assert "is not a folder or zip in" in app.error[0].value
    assert not [button for button in app.button if button.label == "Examine"]


def explore(catalogue, examination=None):
    """The page Explore in a session that has read a data set and perhaps examined it."""
    app = open_app()
    app.session_state["dataset_source"] = dataset_choice.UPLOADED
    app.session_state["dataset_open"] = dataset_choice.OpenDataset(
        dataset_choice.UPLOADED, catalogue
    )
    if examination is not None:
        app.session_state["dataset_examination"] = examination
    app.switch_page(EXPLORE).run()
    assert not app.exception
    return app


def test_findings_of_an_examined_set_are_a_filter_in_explore(faulty, tmp_path):
    (tmp_path / "set.zip").write_bytes(faulty)
    catalogue = catalogues.build(datasets.read(tmp_path / "set.zip"))
    assert "Finding" not in [m.label for m in explore(catalogue).multiselect]
    examination = examinations.Examination(catalogue, ())
    examination.run(tuple)
    app = explore(catalogue, examination)
    finding = next(m for m in app.multiselect if m.label == "Finding")
    finding.set_value(["near_copy_in_two_splits", "unreadable"]).run()
    assert pictures(app) == [
        "Nevus, ISIC_9900013", "Nevus, ISIC_9900003"
    ]  # fmt: skip
    assert "Download 3 rows (CSV)" in [button.label for button in app.get("download_button")]


def test_findings_of_the_bundled_set_are_a_filter_in_explore():
    app = open_app(EXPLORE)
    finding = next(m for m in app.multiselect if m.label == "Finding")
    assert "One photograph under two diagnoses (310)" in finding.options
    assert not any("too small" in option for option in finding.options)
    finding.set_value(["same_photograph_in_two_splits"]).run()
    assert "1 to 15 of 36, page 1 of 3" in text(app)


def test_findings_are_dropped_with_their_data_set():
    app = examined(class_folders(2))
    button(app, "Remove now").click().run()
    assert not app.warning
    assert "dataset_examination" not in app.session_state


@pytest.fixture
def catalogue(tmp_path):
    (tmp_path / "set.zip").write_bytes(class_folders(2))
    return catalogues.build(datasets.read(tmp_path / "set.zip"))


def test_an_examination_stops_when_its_session_has_gone(catalogue):
    may_continue = threading.Event()
    examination = examinations.Examination(catalogue, ())
    examination.start(lambda: () if may_continue.wait(SECONDS) else None)
    audit = examination._audit
    del examination
    gc.collect()
    may_continue.set()
    assert isinstance(audit.exception(SECONDS), examinations._StoppedError)


def test_a_set_without_photographs_waits_for_no_other_examination(catalogue):
    may_continue = threading.Event()
    long = examinations.Examination(catalogue, ())
    long.start(lambda: () if may_continue.wait(SECONDS) else None)
    second = examinations.Examination(catalogue, ())
    second.start(tuple)
    try:
        assert doctor().warning[0].value.startswith("**155 photographs")
        assert not long.is_done
        assert second.phase == "Waiting for another examination on this server"
    finally:
        may_continue.set()
    assert second.audit(SECONDS).num_files == 3


def test_an_error_in_the_thread_is_raised_where_the_result_is_read(catalogue):
    examination = examinations.Examination(catalogue, ())
    examination.start(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        examination.audit(SECONDS)


def test_progress_counts_photographs(catalogue):
    progress = examinations._Progress()
    progress.report(1204, 2357)
    assert progress.phase == "Comparing photographs, 1,204 of 2,357"


def test_a_set_without_findings_is_reported_with_what_was_looked_for(catalogue):
    empty = dataclasses.replace(audits.audit(catalogue.dataset), findings=(), num_files=2239)
    sentence = finding_text.sentence(empty, catalogue.dataset.table, has_photographs=True)
    assert sentence.startswith(
        "**No copies, contradictions or leaks found among 2,239 images.** What was looked for"
    )


def test_held_out_photographs_are_named_by_their_split():
    evidence = made_evidence.of(
        ("a", "NV", "train"), ("a", "NV", "val"), ("b", "NV", "val"), ("b", "NV", "test")
    )
    finding = leakage_checks.same_photograph(evidence)
    assert finding_text.title(finding, evidence.table) == (
        "2 held-out photographs were also used in another split"
    )
    first = dataclasses.replace(finding, count=1, groups=finding.groups[:1])
    assert finding_text.title(first, evidence.table) == (
        "1 validation photograph was also used in training"
    )
