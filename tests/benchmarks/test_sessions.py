"""The load command: what it reads of a page, which answers it calls wrong, and its figures."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from benchmarks.serving import sessions
from benchmarks.serving.sessions import Answer, Load, Page

UPLOADER = "Photograph of one lesion, through the dermatoscope"


def started(*fragment_ids):
    message = ForwardMsg()
    message.new_session.name = "app"
    message.metadata.run.fragment_ids.extend(fragment_ids)
    return message


def finished(status=ForwardMsg.FINISHED_SUCCESSFULLY):
    return ForwardMsg(script_finished=status)


def element(place, kind, **fields):
    message = ForwardMsg()
    message.metadata.delta_path.extend(place)
    shown = getattr(message.delta.new_element, kind)
    shown.SetInParent()
    for name, value in fields.items():
        setattr(shown, name, value)
    return message


def block(place):
    message = ForwardMsg()
    message.metadata.delta_path.extend(place)
    message.delta.add_block.vertical.border = True
    return message


def chart(place, *traces):
    return element(place, "plotly_chart", spec=json.dumps({"data": traces, "layout": {}}))


def clear_button():
    return element([9], "button", label="New lesion")


def mark(percent):
    return {"x": [percent], "y": [0], "mode": "markers", "marker": {"symbol": "diamond"}}


def page(*messages):
    shown = Page()
    for message in messages:
        shown.apply(message)
    return shown


def load(num_sessions, *milliseconds, **others):
    answers = [Answer(0.001 * wait, 0.25, 0.25) for wait in milliseconds]
    return Load(num_sessions, answers, seconds=10.0, **others)


def test_the_probability_is_read_in_full_from_the_mark_wherever_it_stands():
    bars = {"type": "bar", "x": [88.0, 12.0], "marker": {"color": ["#000000", "#FFFFFF"]}}
    shown = page(
        started(), clear_button(), block([0, 3]), chart([0, 3, 0], bars),
        chart([0, 3, 1], mark(12.345678)),
    )  # fmt: skip
    assert shown.melanoma_probability() == pytest.approx(0.12345678, abs=1e-12)
    assert page(started(), clear_button(), chart([0, 0], bars)).melanoma_probability() is None
    # The example on the empty page has the same mark.
    assert page(started(), chart([0, 0], mark(12))).melanoma_probability() is None


def test_widgets_are_found_by_kind_and_label():
    shown = page(
        started(),
        element([0, 0], "button", id="a", label="Try an example lesion"),
        element([0, 5, 1], "button", id="b", label="New lesion"),
        element([0, 2], "file_uploader", id="c", label="Data set"),
        element([0, 4], "file_uploader", id="d", label=UPLOADER),
    )
    assert (shown.button("New lesion"), shown.uploader()) == ("b", "d")
    assert (shown.button("Another"), page().uploader()) == (None, None)


def test_an_uploader_is_free_only_where_no_verdict_is_shown():
    uploader = element([0, 0], "file_uploader", id="a", label=UPLOADER)
    assert page(started(), uploader).free_uploader() == "a"
    assert page(started(), uploader, clear_button(), chart([0, 1], mark(1))).free_uploader() is None


def test_a_run_clears_the_page_and_a_run_of_a_fragment_does_not():
    verdict = chart([0, 0], mark(40))
    assert page(started(), clear_button(), verdict, started()).melanoma_probability() is None
    assert page(started(), clear_button(), verdict, started("f")).melanoma_probability() == 0.4


def test_what_takes_a_place_takes_away_all_that_stood_in_it():
    before = (started(), clear_button(), block([0, 1]), chart([0, 1, 0], mark(40)),
              chart([0, 10], mark(70)))  # fmt: skip
    assert page(*before).melanoma_probability() == 0.4
    assert page(*before, block([0, 1])).melanoma_probability() == 0.7
    assert page(*before, element([0, 1], "empty")).melanoma_probability() == 0.7


def test_only_a_run_that_went_to_its_end_is_finished():
    shown = Page()
    assert not shown.apply(started())
    assert not shown.apply(chart([0, 0], mark(40)))
    assert not shown.apply(finished(ForwardMsg.FINISHED_EARLY_FOR_RERUN))
    assert shown.apply(finished())


def test_errors_on_the_page_are_problems_and_warnings_are_not():
    warning = element([0, 0], "alert", body="careful", format=Alert.WARNING)
    refusal = element([0, 1], "alert", body="no image", format=Alert.ERROR)
    fault = element([0, 2], "exception", type="KeyError", message="'x'")
    assert page(started(), warning).problem() is None
    assert page(started(), warning, refusal).problem() == "no image"
    assert page(started(), warning, refusal, fault).problem() == "KeyError: 'x'"


@pytest.mark.parametrize(
    ("probability", "is_wrong"),
    [(0.3, False), (0.3 + 9e-6, False), (0.3 - 1.1e-5, True), (0.7, True), (np.nan, True)],
)
def test_an_answer_is_wrong_beyond_a_hundred_thousandth(probability, is_wrong):
    assert Answer(1.0, probability, 0.3).is_wrong is is_wrong


def test_photographs_are_chosen_so_that_their_answers_can_be_told_apart(monkeypatch):
    said = {f"{k}": 0.05 * (k // 2) for k in range(40)}  # every second one says the same
    monkeypatch.setattr(sessions.reading, "read", bytes.decode)
    monkeypatch.setattr(
        sessions.predict,
        "classify",
        lambda _, name: SimpleNamespace(melanoma_probability=said[name]),
    )
    chosen = sessions.choose(None, ((name, name.encode()) for name in said))
    assert [photograph.name for photograph in chosen] == [f"{2 * k}" for k in range(12)]
    with pytest.raises(SystemExit, match="Only 1 photographs"):
        sessions.choose(None, [("0", b"0"), ("1", b"1")])


def test_figures_are_of_each_load_and_beside_the_single_session():
    many = load(
        10,
        *range(0, 1010, 10),
        server_cpu_s=20.2,
        client_cpu_s=1.01,
        others_cpu_s=5,
        before_mb=100,
        peak_mb=130,
    )
    many.errors.append("TimeoutError: ")
    single, row = sessions.figures([load(1, 90, 100, 140), many], network_s=0.01)
    assert (single["p50_ms"], single["p95_by_single"]) == (pytest.approx(100), pytest.approx(1.36))
    assert row["num_assessments"] == 101
    assert row["num_errors"] == 1
    assert row["num_wrong"] == 0
    assert row["assessments_a_second"] == pytest.approx(10.1)
    assert (row["p50_ms"], row["p95_ms"]) == (pytest.approx(500), pytest.approx(950))
    assert row["longest_ms"] == pytest.approx(1000)
    assert row["p95_by_single"] == pytest.approx(9.5)
    assert row["server_cpu_ms"] == pytest.approx(200)
    assert row["server_by_network"] == pytest.approx(20)
    assert row["client_cpu_ms"] == pytest.approx(10)
    assert row["others_cores"] == 0.5
    assert row["memory_growth_mb"] == 30


def test_wrong_answers_are_counted_and_the_largest_difference_told():
    many = load(10, 100)
    many.answers.append(Answer(0.1, 0.75, 0.25))
    (row,) = sessions.figures([many], network_s=0.01)
    assert (row["num_wrong"], row["largest_difference"]) == (1, 0.5)


def test_what_was_not_measured_is_none_and_printed_as_such(capsys):
    (alone,) = sessions.figures([load(10, 100)], network_s=0.01)
    assert alone["p95_by_single"] is None
    (silent,) = sessions.figures([Load(1)], network_s=0.01)
    assert silent["num_assessments"] == 0
    assert "p50_ms" not in silent
    json.dumps([alone, silent], allow_nan=False)
    sessions._print([alone, silent])
    lines = capsys.readouterr().out.splitlines()
    assert next(line for line in lines if "median, ms" in line).split()[-2:] == ["100", "n/a"]


def test_a_bar_is_held_against_the_largest_number_of_sessions(capsys):
    quick, slow = load(1, 100), load(50, 2600)
    sessions._print(sessions.figures([quick, slow], network_s=0.01))
    lines = capsys.readouterr().out.splitlines()
    ratio = next(line for line in lines if "single session" in line)
    assert ratio.split()[-5:] == ["1.0", "26.0", "≤", "25", "MISSED"]
