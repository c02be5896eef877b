"""A result in each of its states: its words, its callouts, and what can be chosen on it."""

import itertools
import json
import re

import numpy as np
import pytest

from melanoma_core.images import reading, synthetic
from melanoma_core.models.novelty import Refusal
from melanoma_core.models.quality_checks import OK, SEVERE, WARNING, Finding, Limit
from melanoma_core.models.similar_cases import Case, Vote
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
from ui.assess import lesion_photographs

NARROW = "\u202f"
PHOTOGRAPH = reading.jpeg(synthetic.lesion(3, (120, 160)))
OTHER = reading.jpeg(synthetic.lesion(4, (120, 160)))
MOST_WORDS = 120
CLINIC = "What this threshold means in your clinic"
OUTLINE = np.pad(np.ones((16, 16), bool), 8)
FIRST_EXPANDER = "How good is this threshold?"

HAIR = Finding("hair", WARNING, "Hair crosses 14 % of the lesion and may hide structures.")
INK = Finding("ink", WARNING, "Ink covers 3 % of the photograph; it raises the probability.")
DARK = Finding("dark", WARNING, "Dark: the mean brightness is 61 of 255.")
BLURRED = Finding(
    "blur", SEVERE, "Blurred: fine structure is at 12 % of what the training photographs show."
)
FINE = tuple(Finding(kind, OK, "") for kind in ("blur", "dark", "overexposed", "cut_off"))
REFUSAL = Refusal("not_a_lesion", "It resembles none of the training photographs.")
CASES = tuple(
    Case(f"ISIC_00243{number}", f"L{number}", f"G{number}", code, "ham10000", proof, "CC-BY-NC", d)
    for number, (code, proof, d) in enumerate(
        [("NV", "histopathology", 0.41), ("MEL", "", 0.52), ("NV", "follow-up", 0.6)], 10
    )
)
BENIGN_VOTE = Vote(50, 0, 0, 48, 0.01)
MALIGNANT_VOTE = Vote(50, 9, 12, 30, 0.3)
CARCINOMA = {
    "MEL": 0.02, "NV": 0.03, "BCC": 0.53, "AK": 0.02, "SCC": 0.36, "PBK": 0.01, "SK": 0.01,
    "DF": 0.01, "VASC": 0.01,
}  # fmt: skip
BELOW = {**stub_models.PROBABILITIES, "MEL": 0.02, "NV": 0.78}
# Name of the state: probabilities, parts of the model, numbers of photographs, patient's age.
STATES = {
    "melanoma": ({}, {"outline": OUTLINE, "findings": (HAIR, *FINE)}, 1, None),
    "carcinoma": (CARCINOMA, {"outline": OUTLINE, "findings": FINE}, 1, None),
    "not judged": (BELOW, {"outline": OUTLINE, "findings": (BLURRED, HAIR, INK, DARK)}, 1, None),
    "below": (BELOW, {"outline": OUTLINE, "findings": FINE}, 1, None),
    "opinions differ": (
        BELOW,
        {
            "vote": MALIGNANT_VOTE, "cases": CASES, "num_changed_views": 0, "outline": OUTLINE,
            "findings": (HAIR, INK),
        },
        1, None,
    ),
    "unsteady": (
        {},
        {"vote": BENIGN_VOTE, "num_changed_views": 3, "outline": OUTLINE, "findings": (HAIR,)},
        1, None,
    ),
    "several": (
        {},
        {"melanoma": (0.02, 0.36, 0.31), "outline": OUTLINE, "findings": (HAIR, INK, DARK)},
        3, None,
    ),
    "outside": ({}, {"vote": BENIGN_VOTE, "outline": OUTLINE, "findings": (HAIR, *FINE)}, 1, 97),
    "no outline": (BELOW, {"findings": (INK, DARK, *FINE[:1])}, 1, None),
    "without parts": (BELOW, None, 1, None),
}  # fmt: skip
HEADINGS = {
    "melanoma": "Above the referral threshold for melanoma",
    "carcinoma": "Above the referral threshold for carcinoma",
    "not judged": "Cannot be judged: too blurred",
    "below": "Below both referral thresholds",
    "opinions differ": "Below both referral thresholds",
    "unsteady": "Above the referral threshold for melanoma",
    "several": "Above the referral threshold for melanoma",
    "outside": "Above the referral threshold for melanoma",
    "no outline": "Below both referral thresholds",
    "without parts": "Below both referral thresholds",
}


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Open a result of the model with these probabilities and parts."""
    folders = (tmp_path / str(number) for number in itertools.count())

    def open_result(probabilities=None, parts=None, num_photographs=1, age=None):
        models_dir = next(folders)
        models_dir.mkdir()
        limits = {} if parts is None else {"blur": Limit(1.0, 2.0)}
        card = stub_models.card(quality_limits=limits)
        stub_models.add(models_dir, card, has_parts=parts is not None)
        stub_models.serve(monkeypatch, models_dir, probabilities or None)
        if parts is not None:
            stub_models.add_parts(monkeypatch, **parts)
        app = open_app()
        files = [(f"{number}.jpg", PHOTOGRAPH, "image/jpeg") for number in range(num_photographs)]
        app.file_uploader[0].set_value(files).run()
        if age is not None:
            choose(app, "patient_age", age)
        assert not app.exception
        return app

    return open_result


def words_before_the_first_expander(app):
    """What a clinician meets: all text outside of popovers and expanders, in the page's order."""
    found = []

    def collect(block):
        for child in block.children.values():
            if child.type in ("expander", "popover"):
                is_popover = child.type == "popover"
                label = child.proto.popover.label if is_popover else child.label
                found.append(label)
                if label == FIRST_EXPANDER:
                    return True
            elif hasattr(child, "children"):
                if collect(child):
                    return True
            elif child.type == "button_group":
                found.extend(child.options)
            elif child.type == "plotly_chart":
                layout = json.loads(child.proto.spec)["layout"]
                found.extend(note["text"] for note in layout["annotations"])
            elif child.type == "space":
                continue
            else:
                found.append(str(getattr(child, "label", None) or getattr(child, "value", "")))
        return False

    assert collect(app.main), "the expander is missing"
    shown = re.sub(r"</?b>|:material/\w+:|:\w+\[|https?:\S+|/mock/\S+", " ", " ".join(found))
    return re.findall(r"[^\W_]+(?:[’'.,/-][^\W_]+)*", shown)


@pytest.mark.parametrize("state", STATES)
def test_a_result_has_few_words_before_the_first_expander(served, state):
    app = served(*STATES[state])
    words = words_before_the_first_expander(app)
    assert len(words) <= MOST_WORDS, " ".join(words)
    assert "Assess" in words
    assert app.header[0].value.endswith(f":] {HEADINGS[state]}")


@pytest.mark.parametrize("state", STATES)
def test_a_result_has_at_most_two_colored_callouts(served, state):
    app = served(*STATES[state])
    assert len(app.warning) + len(app.error) + len(app.info) <= 2
    assert not app.success


def test_a_carcinoma_is_above_its_own_threshold(served):
    app = served(*STATES["carcinoma"])
    assert app.header[0].value.endswith("Above the referral threshold for carcinoma")
    alt, _, _ = chart(app, "ruler")
    assert alt == (
        f"Above the referral threshold for carcinoma: This lesion 89{NARROW}%, "
        f"referral threshold 12{NARROW}%."
    )
    page = text(app)
    assert f"Basal cell carcinoma 53{NARROW}%, squamous cell carcinoma 36{NARROW}%" in page
    choose(app, "target", 0.90)
    assert f"referral threshold 35{NARROW}%" in chart(app, "ruler")[0]


def test_a_severe_finding_lets_no_below_stand_and_an_above_stay(served):
    app = served(BELOW, {"findings": (BLURRED,)})
    assert app.header[0].value == ":gray[:material/help:] Cannot be judged: too blurred"
    assert "**Not reliable:**" in text(app)
    assert "Differential" not in text(app)
    assert not [c for c in app.get("plotly_chart") if "ruler" in c.proto.id]  # its mark is below
    assert f"fine structure is at 12{NARROW}% of what the training photographs show**" in text(app)
    assert CLINIC not in [element.value for element in app.subheader]
    assert "of 100 melanomas fall below" not in text(app)
    above = served({}, {"findings": (BLURRED,)})
    assert CLINIC in [element.value for element in above.subheader]
    assert "of 100 melanomas fall below" in text(above)
    assert above.header[0].value.endswith("Above the referral threshold for melanoma")


def test_the_checks_have_problems_first_and_what_is_not_known_last(served):
    app = served({}, {"findings": (HAIR, *FINE), "outline": OUTLINE})
    lines = [m.value for m in app.markdown if m.value.startswith((":orange", ":gray[:material"))]
    assert lines == [
        ":orange[:material/warning:] Hair crosses 14\u202f% of the lesion and may hide structures",
        ":gray[:material/check:] Sharp, well lit, whole lesion in the frame",
        ":gray[:material/check:] Same verdict in all 8 views, rotated and mirrored",
        ":gray[:material/horizontal_rule:] Skin tone: not recorded",
    ]


def test_a_lesion_without_an_outline_is_not_known_to_be_in_the_frame(served):
    line = (
        ":gray[:material/horizontal_rule:] Lesion in the frame: not known, its outline was not "
        "found"
    )
    assert line in text(served({}, {"findings": FINE[:3]}))
    assert line not in text(served({}, {"findings": FINE, "outline": OUTLINE}))
    assert line not in text(served())  # a model that draws no outlines says so itself


def test_findings_beyond_a_few_words_are_named_in_one_line(served):
    findings = (HAIR, INK, DARK, Finding("low_contrast", WARNING, "x"))
    page = text(served({}, {"findings": findings, "outline": OUTLINE}))
    assert f"Ink covers 3{NARROW}% of the photograph" in page
    assert "Also: dark, low contrast" in page


def test_a_model_without_parts_says_so_once(served):
    page = text(served())
    assert page.count("This model was made without") == 1
    assert (
        "This model was made without refusal of other pictures, quality checks, outlines and "
        "similar cases." in page
    )


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (
            {"vote": BENIGN_VOTE},
            "**Opinions differ.** 48 of the 50 most similar reference lesions were benign. Compare "
            "them below.",
        ),
        (
            {"num_changed_views": 3},
            "**Unsteady.** The verdict changes in 3 of 8 rotated or mirrored views. Take another "
            "photograph.",
        ),
        (
            {"vote": BENIGN_VOTE, "num_changed_views": 3},
            "**Opinions differ.** 48 of the 50 most similar reference lesions were benign. "
            "**Unsteady.** The verdict changes in 3 of 8 rotated or mirrored views.",
        ),
    ],
)
def test_doubts_are_one_callout_of_two_sentences_at_most(served, parts, said):
    (warning,) = served({}, parts).warning
    assert warning.value == said


def test_opinions_differ_below_the_threshold_too(served):
    (warning,) = served(BELOW, {"vote": MALIGNANT_VOTE}).warning
    assert "12 of the 50 most similar reference lesions were malignant." in warning.value
    assert not served(BELOW, {"vote": BENIGN_VOTE}).warning


def test_one_changed_view_is_a_line_and_no_callout(served):
    app = served({}, {"num_changed_views": 1})
    assert ":orange[:material/warning:] Same verdict in 7 of 8 views, rotated and mirrored" in text(
        app
    )
    assert not app.warning


def test_several_photographs_give_the_mean_and_their_range(served):
    app = served(*STATES["several"])
    assert f"Mean of 3 photographs; melanoma 2.0 to 36{NARROW}%" in text(app)
    mean = np.mean([np.log(p / (1 - p)) for p in (0.02, 0.36, 0.31)])
    shown = chart(app, "ruler")[1]["data"][0]["x"][0]
    assert 0.02 < 1 / (1 + np.exp(-shown)) < 0.36
    assert shown == pytest.approx(mean, abs=0.5)  # the other logits differ a little, too
    (warning,) = app.warning
    assert warning.value == (
        "**Unsteady.** The photographs fall on both sides of a referral threshold. Take another "
        "photograph."
    )


def test_one_of_several_photographs_can_be_shown_and_removed(served):
    app = served(*STATES["several"])
    first = pictures(app)
    assert [alt for alt, _ in first[1:]] == ["Photograph 1", "Photograph 2", "Photograph 3"]
    choose(app, "shown_photograph", 2)
    app.button(key="remove_photograph").click().run()
    assert "Mean of 2 photographs" in text(app)
    app.button(key="remove_photograph").click().run()
    assert "Mean of" not in text(app)
    assert f"This lesion 2.0{NARROW}%" in chart(app, "ruler")[0]
    assert "remove_photograph" not in [button.key for button in app.button]


def test_another_photograph_of_the_lesion_joins_it_and_keeps_the_patient(served):
    app = served({}, {"melanoma": (0.31, 0.02)}, age=45)
    app.file_uploader[0].set_value([("b.jpg", OTHER, "image/jpeg")]).run()
    assert f"Mean of 2 photographs; melanoma 2.0 to 31{NARROW}%" in text(app)
    assert widget(app, "shown_photograph").value == 1  # the one that came last
    assert widget(app, "patient_age").value == 45


def test_at_most_eight_photographs_are_taken(served):
    app = served({}, {}, lesion_photographs.MOST + 1)
    assert "Mean of 8 photographs" in text(app)
    assert "“8.jpg” was not added" in text(app)
    assert "a lesion has at most 8 photographs here." in text(app)
    assert "Add another photograph" not in " ".join(
        str(block.proto.popover) for block in app.get("popover")
    )


def test_a_refused_further_photograph_leaves_the_lesion_as_it_was(served):
    app = served({}, {"refusals": (None, REFUSAL)})
    app.file_uploader[0].set_value([("b.jpg", OTHER, "image/jpeg")]).run()
    assert app.header[0].value.endswith("Above the referral threshold for melanoma")
    assert "Mean of" not in text(app)
    assert "**This does not look like a dermoscopic photograph of a skin lesion.**" in text(app)
    assert "The result is unchanged." in text(app)
    assert not app.warning


@pytest.mark.parametrize("num_photographs", [1, 2])
def test_a_refused_picture_has_no_number_anywhere_and_the_uploader_stays(served, num_photographs):
    app = served({}, {"refusals": (REFUSAL,) * 2}, num_photographs)
    (warning,) = app.warning
    assert (
        "**This does not look like a dermoscopic photograph of a skin lesion.** The system gives "
        "no result for it. It resembles none of the training photographs." in warning.value
    )
    assert len(app.file_uploader) == 1
    assert not app.header
    assert not app.get("plotly_chart")
    assert not pictures(app)
    everything = text(app) + " ".join(
        str(element) for block in (app.main, app.sidebar) for element in block
    )
    assert "%" not in everything
    assert [button.label for button in app.button] == ["Try an example lesion"]
    assert "assessment" not in app.session_state
    upload(app, PHOTOGRAPH)  # the third picture of this model is taken
    assert bool(app.header) == (num_photographs == 2)


def test_of_several_pictures_only_the_lesions_are_assessed(served):
    app = served({}, {"refusals": (None, REFUSAL)}, 2)
    assert app.header
    assert "“1\\.jpg”" in text(app) or "“1.jpg”" in text(app)
    assert "This does not look like" in text(app)
    assert "unchanged" not in text(app)  # there was no result before


def test_a_drawn_example_is_neither_refused_nor_checked(served, tmp_path, monkeypatch):
    stub_models.add(tmp_path)
    stub_models.serve(monkeypatch, tmp_path)
    stub_models.add_parts(monkeypatch, refusals=(REFUSAL,) * 3)
    app = button(open_app(), "Try an example lesion").click().run()
    assert app.header
    assert not app.warning


def test_the_outline_is_drawn_on_request_and_gives_the_share_inside(served):
    outline = np.zeros((32, 32), bool)
    outline[:16, :16] = True
    app = served({}, {"outline": outline})
    plain = pictures(app)[0]
    choose(app, "outline_on", value=True)
    outlined = pictures(app)[0]
    assert outlined[0] == "Photograph of the lesion, outlined"
    assert outlined[1] != plain[1]
    choose(app, "picture_view", "Evidence map")
    assert f"100{NARROW}% of the evidence lies inside the lesion." in text(app)


def test_without_an_outline_the_share_inside_is_not_known(served):
    app = choose(served({}, {}), "picture_view", "Evidence map")
    assert "The lesion’s outline was not found, so the share inside it is not known." in text(app)
    page = text(unfold(app, "abcd_open"))
    assert "its shape and colors cannot be measured" in page


def test_shape_and_color_are_told_in_numbers_and_a_diameter_only_with_a_scale(served):
    rows, columns = np.mgrid[:32, :32]
    outline = (rows - 16) ** 2 + (columns - 16) ** 2 < 64
    app = unfold(served({}, {"outline": outline}), "abcd_open")
    assert "**Asymmetry** of shape in 0 of 2 axes" in text(app)
    assert "**Diameter**: not known without the width" in text(app)
    choose(app, "field_of_view", 20.0)
    assert "mm at its longest" in text(app)
    button(app, "New lesion").click().run()
    assert "field_of_view" not in app.session_state


def test_similar_cases_have_label_proof_distance_and_a_link(served):
    page = text(served({}, {"cases": CASES, "vote": BENIGN_VOTE}))
    assert "Most similar reference lesions" in page
    assert "**Melanoma**  \n:small[:gray[Distance 0.52]]" in page
    assert "Confirmation not recorded" in page
    assert "](https://api.isic-archive.com/images/ISIC_0024310/)" in page
    assert "CC\\-BY\\-NC" in page or "CC-BY-NC" in page


def test_a_choice_below_the_photograph_leaves_the_rest_of_the_page_as_it_is(served):
    app = served({}, {"findings": (HAIR, *FINE)})
    before = [element.value for element in (*app.header, *app.subheader)]
    choose(app, "picture_view", "Evidence map")
    choose(app, "evidence_for", "NV")
    assert [element.value for element in (*app.header, *app.subheader)] == before


def test_a_warning_takes_the_place_of_the_line_below_the_title(served):
    app = served(*STATES["outside"])
    line = app.main.children[1].children[0]
    warning = line.children[0]
    assert "Outside what this model has seen" in warning.value
    assert text(app).count("not a medical device") == 1  # at the end of the page
