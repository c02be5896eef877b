"""The page Assess in each of its states, as a visitor sees it."""

import gc
import io
import math

import pytest
from PIL import Image
from starlette.formparsers import MultiPartParser

from melanoma_core.images import reading, synthetic
from melanoma_core.models import store
from tests.support import stub_models
from tests.support.made_pages import (
    button,
    chart,
    choose,
    open_app,
    pictures,
    text,
    unfold,
    upload,
    widget,
)
from ui import frame, uploads
from ui.assessments import ground_for_map

NARROW = "\u202f"
PHOTOGRAPH = reading.jpeg(synthetic.lesion(3, (120, 160)))


@pytest.fixture
def models_dir(tmp_path, monkeypatch):
    """A folder with a model in use that predicts `stub_models.PROBABILITIES`."""
    stub_models.add(tmp_path)
    stub_models.serve(monkeypatch, tmp_path)
    return tmp_path


def assessed(app):
    assert not app.exception
    return bool(app.header) and "referral threshold" in app.header[0].value


def test_the_empty_page_asks_for_a_photograph_and_says_what_it_is_not_for(models_dir):
    app = open_app()
    assert not app.exception
    assert len(app.file_uploader) == 1
    assert not app.get("camera_input")  # not before it is asked for
    page = text(app)
    for phrase in (
        "Add a dermoscopic photograph",
        "Names, dates and places inside the file are removed; nothing is saved.",
        "What you will see",
        "Not for",
        "photographs taken without a dermatoscope",
        "Research and education; not a medical device; the decision is the clinician’s.",
        f"Model nine-2026-11-14, threshold 8.4{NARROW}% for 95{NARROW}% sensitivity.",
    ):
        assert phrase in page
    assert "JPEG, PNG, WebP or TIFF, at most 20 MB." in page
    # What the browser itself turned away would leave the refusal of the file before on the page.
    assert not app.file_uploader[0].proto.type


def test_the_empty_page_shows_a_small_example_labeled_as_drawn(models_dir):
    app = open_app()
    # For this chart the browser loads the chart library, before anyone waits for a verdict.
    alt, figure, _ = chart(app, "example")
    assert figure["data"][0]["x"] == pytest.approx([math.log(0.31 / 0.69)])
    assert alt == (
        f"Example: Above the referral threshold for melanoma: This lesion 31{NARROW}%, "
        f"referral threshold 8.4{NARROW}%."
    )
    assert pictures(app)[0][0] == "Example, a computer-drawn lesion"
    assert "An example. Computer-drawn, not a photograph." in text(app)
    assert not app.header  # no heading that looks like a verdict
    choose(app, "target", 0.90)
    assert "**:gray[:material/horizontal_rule:] Below both referral thresholds**" in text(app)


def test_a_photograph_and_an_example_take_one_run_of_the_page(models_dir, monkeypatch):
    runs = []
    title_row = frame.title_row

    def note(title):
        containers = title_row(title)  # under AppTest, unlike a server, it restarts every run
        runs.append("begun")
        return containers

    monkeypatch.setattr(frame, "title_row", note)
    monkeypatch.setattr(frame, "show_notice", lambda: runs.append("ended"))
    for ask in (
        lambda app: upload(app, PHOTOGRAPH),
        lambda app: button(app, "Try an example lesion").click().run(),
    ):
        app = open_app()
        runs.clear()
        assert assessed(ask(app))
        button(app, "New lesion").click().run()
        assert runs == ["begun", "ended"] * 2


def test_the_camera_opens_when_it_is_asked_for(models_dir):
    app = choose(open_app(), "photograph_source", "Camera")
    assert not app.exception
    assert not app.file_uploader
    (camera,) = app.camera_input
    camera.set_value(("camera.jpg", PHOTOGRAPH, "image/jpeg")).run()
    assert assessed(app)


def test_a_photograph_gives_verdict_bars_and_picture(models_dir):
    app = upload(open_app(), PHOTOGRAPH)
    assert assessed(app)
    assert app.header[0].value == (
        ":red[:material/flag:] Above the referral threshold for melanoma"
    )
    page = text(app)
    assert "Of the 200 test photographs closest to this probability, 56 were melanomas." in page
    assert "Nevus is the likeliest single diagnosis, but the probability of melanoma" in page
    assert f"205 of 216 melanoma photographs (95{NARROW}%, 95{NARROW}% CI 91–97)" in page
    assert "not a medical device" in page
    assert "nine-2026-11-14" in page
    assert pictures(app)[0][0] == "Photograph of the lesion"
    assert not app.error
    assert not app.warning


def test_the_bars_show_all_nine_diagnoses_in_order_and_sum_to_one(models_dir):
    alt, figure, config = chart(upload(open_app(), PHOTOGRAPH), "bars")
    (bar,) = figure["data"]
    assert sum(bar["x"]) == pytest.approx(100)
    names = figure["layout"]["yaxis"]["ticktext"]
    assert names == [
        "Melanoma", "Basal cell carcinoma", "Squamous cell carcinoma", "Actinic keratosis", "Nevus",
        "Seborrheic keratosis", "Pigmented benign keratosis", "Vascular lesion", "Dermatofibroma",
    ]  # fmt: skip
    assert bar["text"][0] == f"31{NARROW}%"
    assert config["staticPlot"]
    assert alt.startswith("Probability of each diagnosis. Malignant 34")


def test_the_ruler_shows_lesion_and_threshold(models_dir):
    alt, figure, _ = chart(upload(open_app(), PHOTOGRAPH), "ruler")
    assert figure["data"][0]["x"] == pytest.approx([math.log(0.31 / 0.69)])
    assert alt == (
        f"Above the referral threshold for melanoma: This lesion 31{NARROW}%, "
        f"referral threshold 8.4{NARROW}%."
    )


def test_below_the_threshold_is_a_gray_dash_and_no_all_clear(models_dir, monkeypatch):
    below = {**stub_models.PROBABILITIES, "MEL": 0.02, "NV": 0.78}
    stub_models.serve(monkeypatch, models_dir, below)
    store.set_champion(models_dir, "nine-2026-11-14")
    app = upload(open_app(), PHOTOGRAPH)
    assert app.header[0].value == (
        ":gray[:material/horizontal_rule:] Below both referral thresholds"
    )
    assert "**This does not rule melanoma out.**" in text(app)
    assert not app.success


def test_another_threshold_changes_verdict_ruler_and_line_together(models_dir):
    app = upload(open_app(), PHOTOGRAPH)
    choose(app, "target", 0.90)
    assert "Below both referral thresholds" in app.header[0].value
    assert f"threshold 40{NARROW}% for 90{NARROW}% sensitivity" in text(app)
    labels = [label["text"] for label in chart(app, "ruler")[1]["layout"]["annotations"]]
    assert f"Referral threshold 40{NARROW}%" in labels
    assert "195 of 216 melanoma photographs" in text(app)


def test_another_threshold_changes_the_clinic_panel_too(models_dir):
    app = upload(open_app(), PHOTOGRAPH)
    alt, figure, config = chart(app, "clinic_squares")
    # 205 of 216 of 50 melanomas, 580 of 1,800 of 950 others.
    assert alt == (
        "Of 1,000 lesions: 47 melanomas referred, 3 melanomas missed, 306 others referred, "
        "644 others not referred."
    )
    (heatmap,) = figure["data"]
    assert [len(row) for row in heatmap["z"]] == [50] * 20
    assert config["staticPlot"]
    page = text(app)
    assert (
        f"**47 of 353** referred lesions would be melanoma  \n:small[:gray[PPV 13{NARROW}%]]"
        in page
    )
    assert "**644 of 647** lesions not referred would not be melanoma" in page
    choose(app, "target", 0.90)
    assert "45 melanomas referred, 5 melanomas missed" in chart(app, "clinic_squares")[0]


def test_the_clinic_panel_starts_at_50_melanomas_and_says_so(models_dir):
    app = upload(open_app(), PHOTOGRAPH)
    assert widget(app, "clinic_melanomas").value == 50
    assert "50 is only a starting value; set it to your own clinic’s rate" in text(app)
    choose(app, "clinic_melanomas", 200)
    assert "190 melanomas referred, 10 melanomas missed" in chart(app, "clinic_squares")[0]
    assert "would be missed and" in text(app)


def test_the_prevalence_of_a_clinic_is_kept_for_other_lesions_and_after_other_pages(models_dir):
    app = choose(upload(open_app(), PHOTOGRAPH), "clinic_melanomas", 20)
    app.switch_page("pages/about.py").run()
    app.switch_page("pages/assess.py").run()
    assert widget(app, "clinic_melanomas").value == 20
    button(app, "New lesion").click().run()
    upload(app, PHOTOGRAPH)
    assert widget(app, "clinic_melanomas").value == 20


def test_the_differential_is_below_the_bars_with_its_measured_coverage(models_dir):
    page = text(upload(open_app(), PHOTOGRAPH))
    assert "**Differential:** nevus, melanoma. **Review:** melanoma and benign diagnoses" in page
    assert f"designed to include the true diagnosis in 90{NARROW}% of cases" in page
    assert f"in testing it did so in 90{NARROW}% (95{NARROW}% CI 89–92)" in page


@pytest.mark.parametrize(
    ("key", "value", "warning_text"),
    [
        (
            "patient_site", "nail",
            "None of its 3,106 training lesions is from a nail.",
        ),
        ("patient_age", 92, "Only 4 of its 3,106 training lesions are from a patient aged 90 or"),
        ("patient_age", 17, "**This model is not for patients under 18.**"),
    ],
    ids=["nail", "very old", "child"],
)  # fmt: skip
def test_outside_the_training_data_nothing_is_claimed(models_dir, key, value, warning_text):
    app = upload(open_app(), PHOTOGRAPH)
    assert not app.warning
    choose(app, key, value)
    (warning,) = app.warning
    assert warning_text in warning.value
    assert warning.value.endswith("How often it is right there is not known.]")
    page = text(app)
    assert "205 of 216" not in page
    assert f"for 95{NARROW}% sensitivity" not in page
    assert "find 95 of 100" not in page
    assert "200 test photographs" not in page
    assert (
        "For lesions like this one, the sensitivity and specificity of this threshold are not "
        "known." in page
    )
    assert "89–92" not in page  # coverage of the differential
    assert widget(app, "clinic_melanomas") is None
    assert "What this threshold means in your clinic" not in page
    assert assessed(app)  # the verdict stays


def test_a_site_that_only_this_model_s_data_sets_use_can_be_chosen(tmp_path, monkeypatch):
    seen = stub_models.card().seen | {"site": {"posterior torso": 40, "not recorded": 9}}
    stub_models.add(tmp_path, stub_models.card(seen=seen))
    stub_models.serve(monkeypatch, tmp_path)
    app = upload(open_app(), PHOTOGRAPH)
    assert widget(app, "patient_site").options[-1] == "Posterior torso"
    choose(app, "patient_site", "posterior torso")
    assert not app.warning
    choose(app, "patient_site", "back")
    assert app.warning


def test_patients_like_the_training_data_change_nothing(models_dir):
    app = upload(open_app(), PHOTOGRAPH)
    before = text(app)
    for key, value in (("patient_age", 45), ("patient_sex", "female"), ("patient_site", "foot")):
        choose(app, key, value)
    assert not app.warning
    assert text(app) == before


def test_the_warning_stays_after_visiting_another_page_and_ends_with_the_lesion(models_dir):
    app = choose(upload(open_app(), PHOTOGRAPH), "patient_site", "mucosa")
    choose(app, "patient_age", 45)
    assert "mucosa" in repr(app.session_state._state._state)
    app.switch_page("pages/about.py").run()
    app.switch_page("pages/assess.py").run()
    assert app.warning
    assert widget(app, "patient_age").value == 45
    button(app, "New lesion").click().run()
    assert "patient_site" not in app.session_state
    assert "mucosa" not in repr(app.session_state._state._state)
    upload(app, PHOTOGRAPH)
    assert not app.warning
    assert widget(app, "patient_site").value is None
    assert widget(app, "patient_age").value is None


def test_what_the_model_has_and_has_not_seen_can_be_looked_up(models_dir):
    app = upload(open_app(), PHOTOGRAPH)
    seen = next(block for block in app.expander if block.label.startswith("What the model has"))
    assert not seen.markdown  # not computed while closed
    page = text(unfold(app, "seen_open"))
    assert "The model was trained on 3,106 lesions." in page
    assert "| 40–49 | 2,100 |" in page
    assert "| nail | **0**, too few |" in page
    assert "| not recorded | 1,827 |" in page
    assert "| Skin tone | Lesions |\n| :-- | --: |\n| not recorded | 3,106 |" in page


def test_a_photograph_and_its_views_pass_through_the_network_once(models_dir, monkeypatch):
    passes = []
    run = stub_models.StubGraph.run
    monkeypatch.setattr(
        stub_models.StubGraph, "run", lambda graph, image: passes.append(1) or run(graph, image)
    )
    app = open_app()
    passes.clear()  # one pass was for the example
    upload(app, PHOTOGRAPH)
    choose(app, "target", 0.90)
    choose(app, "clinic_melanomas", 10)
    choose(app, "patient_site", "nail")
    choose(app, "picture_view", "Evidence map")
    assert len(passes) == 1 + 8  # its flips and turns, once


def test_one_operating_point_leaves_nothing_to_choose(tmp_path, monkeypatch):
    point = stub_models.operating_point()
    stub_models.add(tmp_path, stub_models.card(operating_points=(point,)))
    stub_models.serve(monkeypatch, tmp_path)
    app = upload(open_app(), PHOTOGRAPH)
    assert assessed(app)
    assert not app.radio


def test_with_few_melanomas_the_page_says_how_wide_the_interval_is(tmp_path, monkeypatch):
    point = stub_models.operating_point(val_lesions=93)
    stub_models.add(tmp_path, stub_models.card(operating_points=(point,)))
    stub_models.serve(monkeypatch, tmp_path)
    page = text(upload(open_app(), PHOTOGRAPH))
    assert (
        "The threshold was chosen on 93 melanomas and tested on 197: "
        f"the true sensitivity lies between 91 and 97{NARROW}%."
    ) in page
    assert f"threshold 8.4{NARROW}%." in page
    assert "sensitivity." not in page


def test_an_evidence_map_can_be_shown_for_any_diagnosis(models_dir):
    app = upload(open_app(), PHOTOGRAPH)
    assert widget(app, "evidence_for") is None
    choose(app, "picture_view", "Evidence map")
    assert assessed(app)
    options = widget(app, "evidence_for").options
    assert len(options) == 9
    assert options[0] == f"Evidence for melanoma, 31{NARROW}%"
    assert pictures(app)[0][0] == "Where the network found support for melanoma"
    assert "not why, nor whether it is right" in text(app)

    with_map = pictures(app)[0][1]
    choose(app, "map_opacity", 0)
    without_map = pictures(app)[0][1]
    assert with_map != without_map  # the address of a picture is the hash of its content

    choose(app, "evidence_for", "DF")
    assert "No region of this photograph supports dermatofibroma." in text(app)
    choose(app, "map_opacity", 100)
    assert pictures(app)[0][1] == without_map
    choose(app, "evidence_for", "BCC")
    assert "The evidence for basal cell carcinoma is too faint to draw" in text(app)


def test_a_model_without_maps_says_so(tmp_path, monkeypatch):
    stub_models.add(tmp_path, stub_models.card(has_saliency=False))
    stub_models.serve(monkeypatch, tmp_path)
    app = upload(open_app(), PHOTOGRAPH)
    assert assessed(app)
    assert "This model was made without evidence maps, " in text(app)
    assert widget(app, "picture_view") is None


@pytest.mark.parametrize("size", [(700, 140), (140, 700)])
def test_long_photographs_are_shown_too(models_dir, size):
    assert assessed(upload(open_app(), reading.jpeg(synthetic.lesion(1, size))))


def test_an_example_is_labeled_as_drawn_wherever_it_is_shown(models_dir):
    app = button(open_app(), "Try an example lesion").click().run()
    assert assessed(app)
    label = "Computer-drawn, not a photograph."
    assert text(app).count(label) == 1
    assert pictures(app)[0][0] == "Computer-drawn lesion"
    choose(app, "picture_view", "Evidence map")
    assert text(app).count(label) == 1
    button(app, "New lesion").click().run()
    assert len(app.file_uploader) == 1


def test_new_lesion_goes_back_to_the_empty_page(models_dir):
    app = upload(open_app(), PHOTOGRAPH)
    button(app, "New lesion").click().run()
    assert not app.header
    assert len(app.file_uploader) == 1
    assert "assessment" not in app.session_state
    assert assessed(upload(app, PHOTOGRAPH))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (PHOTOGRAPH[:400], "is "),
        (b"<!doctype html><html><body>No</body></html>", "is a web page"),
        (reading.png(synthetic.lesion(1, (64, 64)))[:300], "PNG"),
    ],
    ids=["empty", "cut off", "web page", "cut-off PNG"],
)
def test_a_bad_file_is_refused_with_its_reason_and_the_app_continues(models_dir, data, reason):
    app = upload(open_app(), data, "mole.jpg")
    assert not app.exception
    (error,) = app.error
    assert error.value.startswith("**“mole.jpg” ")
    assert reason in error.value
    assert "/" not in error.value.replace("\\", "")  # no path
    assert len(app.file_uploader) == 1
    upload(app, PHOTOGRAPH)
    assert assessed(app)
    assert not app.error


def test_a_refusal_and_the_name_in_it_are_forgotten_with_the_next_photograph(models_dir):
    for next_action in (
        lambda app: upload(app, PHOTOGRAPH),
        lambda app: button(app, "Try an example lesion").click().run(),
        lambda app: upload(app, b"no photograph", "other.jpg"),
    ):
        app = upload(open_app(), b"no photograph", "canary-name.jpg")
        assert "canary" in repr(app.session_state._state._state)
        next_action(app).run()  # Streamlit itself keeps replaced values for one run
        assert "canary" not in repr(app.session_state._state._state)


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>.jpg",
        "**bold**[link](http://evil.example).jpg",
        ":red[x] :smile: $x$ `code`.jpg",
        "![p](http://evil.example/p.png).jpg",
    ],
)
def test_a_hostile_name_is_shown_literally(models_dir, name):
    (error,) = upload(open_app(), b"no photograph", name).error
    shown = error.value.replace("\u2060", "")
    for special in "<>[]*`:$!":
        assert shown.count(f"\\{special}") >= name.count(special)
    assert name in shown.replace("\\", "")


def test_nothing_of_the_file_is_kept_after_reading(models_dir):
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "canary-in-exif"
    Image.fromarray(synthetic.lesion(5, (120, 160))).save(file, "JPEG", exif=exif)
    assert b"canary-in-exif" in file.getvalue()
    app = upload(open_app(), file.getvalue(), "canary-name.jpg")
    assert assessed(app)
    state = app.session_state._state._state  # with widgets; repr() includes every value
    assert "Assessment" in repr(state)
    assert "canary" not in repr(state)
    assert "canary" not in text(app)
    assert app.file_uploader[0].value == []


def test_streamlit_itself_drops_the_bytes(models_dir, monkeypatch):
    from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager

    managers = []
    original_init = MemoryUploadedFileManager.__init__

    def init(self, *args):
        original_init(self, *args)
        managers.append(self)

    monkeypatch.setattr(MemoryUploadedFileManager, "__init__", init)
    upload(open_app(), PHOTOGRAPH)
    upload(open_app(), b"no photograph", "bad.jpg")
    gc.collect()
    assert managers
    assert not any(files for manager in managers for files in manager.file_storage.values())


def test_an_arriving_file_stays_in_memory_and_never_becomes_a_temporary_file(models_dir):
    open_app()
    assert MultiPartParser.spool_max_size > uploads.MAX_PHOTOGRAPH_MB * 2**20


def test_a_photograph_larger_than_the_limit_is_refused_unread(models_dir):
    app = upload(open_app(), PHOTOGRAPH + bytes(uploads.MAX_PHOTOGRAPH_MB * 2**20))
    assert "larger than 20 MB" in app.error[0].value
    assert not assessed(app)


def test_two_sessions_share_nothing(models_dir):
    first, second = open_app(), open_app()
    upload(first, PHOTOGRAPH)
    second.run()
    assert assessed(first)
    assert not second.header
    assert "assessment" not in second.session_state
    upload(second, b"no photograph", "other.jpg")
    first.run()
    assert not first.error
    assert assessed(first)


def test_without_a_model_the_page_says_what_to_do(empty_models):
    app = open_app()
    assert not app.exception
    assert app.info[0].value.startswith("**No model is in use yet.**")
    links = [link.proto.label for link in app.get("page_link")]
    assert links == ["Train a model", "Choose a model"]
    assert "python -m melanoma_core train" in text(app)
    assert "python -m melanoma_core promote MODEL_ID" in text(app)
    assert not app.file_uploader


def test_without_a_model_in_use_the_candidates_are_named(empty_models):
    stub_models.add(empty_models, in_use=False)
    page = text(open_app())
    assert "Candidates: nine-2026-11-14." in page
    assert "python -m melanoma_core promote nine-2026-11-14" in page


def test_a_damaged_candidate_is_named_and_not_mistaken_for_the_model_in_use(empty_models):
    stub_models.add(empty_models, in_use=False)
    stub_models.add(empty_models, stub_models.card("nine-2026-11-20"), in_use=False)
    (empty_models / "nine-2026-11-20" / "card.json").write_text("{")
    app = open_app()
    assert not app.exception
    assert app.info[0].value.startswith("**No model is in use yet.**")
    (error,) = app.error
    assert error.value.startswith("**A model that is not in use is damaged.** nine-2026-11-20")
    assert "in use failed" not in text(app)
    assert "Candidates: nine-2026-11-14." in text(app)


def test_the_champion_file_is_read_again_only_after_it_has_changed(models_dir, monkeypatch):
    reads = []
    read = store.champions
    monkeypatch.setattr(store, "champions", lambda folder: reads.append(1) or read(folder))
    app = open_app()
    reads.clear()
    upload(app, PHOTOGRAPH)
    assert not reads
    stub_models.add(models_dir, stub_models.card("nine-2026-11-20"))
    reads.clear()
    assert "It has since been replaced by nine-2026-11-20" in text(app.run())
    assert len(reads) == 1
    champion = models_dir / "champion.json"
    sound = champion.read_bytes()
    champion.write_text("{")
    for _ in range(2):  # errors are not cached
        assert "champion.json, which names the model in use, cannot be read" in text(app.run())
    champion.write_bytes(sound)
    assert not app.run().error
    champion.unlink()
    button(app, "New lesion").click().run()
    assert app.info[0].value.startswith("**No model is in use yet.**")


def test_only_a_small_photograph_is_enlarged_for_a_map():
    small = synthetic.lesion(1, (120, 160))
    assert ground_for_map(small).shape == (480, 640, 3)
    large = synthetic.lesion(1, (480, 640))
    assert ground_for_map(large) is large


def damage(models_dir, model_id):
    file = models_dir / model_id / "network.tflite"
    file.write_bytes(file.read_bytes() + b"x")


def test_when_the_model_in_use_is_damaged_the_previous_one_answers(models_dir):
    stub_models.add(models_dir, stub_models.card("nine-2026-11-20"))
    damage(models_dir, "nine-2026-11-20")
    app = open_app()
    (error,) = app.error
    assert error.value.startswith(
        "**The model in use failed its check and was not loaded.** The previous model is answering"
    )
    assert "Model nine-2026-11-14" in text(app)
    notice = "".join(markdown.value for markdown in app.sidebar.markdown)
    assert "instead of nine-2026-11-20, which failed its check" in notice
    assert str(models_dir) not in text(app)
    assert assessed(upload(app, PHOTOGRAPH))


def test_a_repaired_model_answers_on_the_next_run(models_dir):
    stub_models.add(models_dir, stub_models.card("nine-2026-11-20"))
    file = models_dir / "nine-2026-11-20" / "network.tflite"
    sound = file.read_bytes()
    damage(models_dir, "nine-2026-11-20")
    app = open_app()
    assert app.error
    file.write_bytes(sound)
    app.run()
    assert not app.error
    assert "Model nine-2026-11-20" in text(app)


def test_when_no_model_answers_the_page_says_so_and_takes_no_photograph(models_dir):
    damage(models_dir, "nine-2026-11-14")
    app = open_app()
    assert not app.exception
    (error,) = app.error
    assert "and no other can answer" in error.value
    assert "network.tflite" in error.value
    assert not app.file_uploader


def test_an_unreadable_champion_file_is_reported(models_dir):
    (models_dir / "champion.json").write_text("{")
    app = open_app()
    assert not app.exception
    assert "champion.json" in app.error[0].value


def test_a_result_keeps_the_card_of_the_model_that_made_it(models_dir):
    app = upload(open_app(), PHOTOGRAPH)
    later = stub_models.card(
        "nine-2026-11-20", operating_points=(stub_models.operating_point(threshold=0.6),)
    )
    stub_models.add(models_dir, later)
    app.run()
    assert "Above the referral threshold" in app.header[0].value
    assert f"Model nine-2026-11-14, threshold 8.4{NARROW}%" in text(app)
    assert "It has since been replaced by nine-2026-11-20" in text(app)
