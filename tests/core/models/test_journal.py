"""The journal: a chain of rows that shows whether one was edited, deleted or moved."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner

from melanoma_core.cli.main import main
from melanoma_core.errors import JournalError
from melanoma_core.evaluation import promotion
from melanoma_core.models import journal, store
from melanoma_core.models.journal import Event, Kind
from tests.support import stub_models

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture
def five(tmp_path):
    """A folder with a journal of five rows."""
    for number in range(5):
        journal.append(tmp_path, Event(Kind.PROMOTED, who=f"Dr {number}", model_id=f"m-{number}"))
    return tmp_path


def lines(folder):
    return (folder / journal.ROWS).read_bytes().splitlines()


def write(folder, new_lines):
    (folder / journal.ROWS).write_bytes(b"".join(line + b"\n" for line in new_lines))


def problems(folder, expected_sha256=None):
    return " ".join(journal.verify(folder, expected_sha256).problems)


def test_a_row_says_who_did_what_and_when_and_has_the_hash_of_the_row_before(tmp_path):
    first = journal.append(
        tmp_path,
        Event(
            Kind.TRAINING_ENDED, who="Dr Li", model_id="m-1", card_sha256="ab", run_id="r-1",
            datasets={"ham10000": "cd"},
        ),
    )  # fmt: skip
    second = journal.append(tmp_path, Event(Kind.OVERRULED, reason="needed\nfor research"))
    assert journal.rows(tmp_path) == (first, second)
    assert (first.number, first.event.datasets) == (1, {"ham10000": "cd"})
    assert first.event.when.endswith("+00:00")
    assert second.event.who == "not given"
    assert second.event.reason == "needed for research"
    one, two = (json.loads(line) for line in lines(tmp_path))
    assert one["previous"] == "0" * 64
    assert two["previous"] == first.sha256
    check = journal.verify(tmp_path)
    assert (check.num_rows, check.sha256, check.problems) == (2, second.sha256, ())


def test_names_are_cut_and_put_on_one_line(tmp_path):
    event = journal.append(tmp_path, Event(Kind.PROMOTED, who="a\u202eb\n" + "x" * 200)).event
    assert event.who.startswith("a b x")
    assert len(event.who) == 80


def test_a_missing_journal_is_empty_and_sound(tmp_path):
    assert journal.rows(tmp_path) == ()
    assert journal.verify(tmp_path) == journal.Check(0, "0" * 64, ())


def test_the_files_of_the_journal_are_not_models(five):
    assert store.list_cards(five) == ([], [])


@pytest.mark.parametrize("place", range(5))
def test_an_edited_row_is_detected(five, place):
    changed = lines(five)
    changed[place] = changed[place].replace(b'"who":"Dr', b'"who":"Mr')
    write(five, changed)
    assert "edited" in problems(five)


@pytest.mark.parametrize("place", range(5))
def test_a_deleted_row_is_detected(five, place):
    changed = lines(five)
    del changed[place]
    write(five, changed)
    assert "deleted" in problems(five)


@pytest.mark.parametrize("place", range(4))
def test_swapped_rows_are_detected(five, place):
    changed = lines(five)
    changed[place : place + 2] = changed[place + 1], changed[place]
    write(five, changed)
    assert problems(five)


def test_inserted_rows_are_detected_in_between_and_at_the_end(five):
    sound = lines(five)
    write(five, [*sound[:2], sound[1], *sound[2:]])
    assert "inserted" in problems(five)
    write(five, [*sound, *sound[-2:]])
    assert problems(five)


@pytest.mark.parametrize("num_deleted", [1, 5])
def test_missing_last_rows_are_detected_also_after_more_rows(five, num_deleted):
    write(five, lines(five)[: 5 - num_deleted])
    assert "the last ones were deleted" in problems(five)
    for _ in range(3):
        journal.append(five, Event(Kind.ROLLED_BACK))
    assert "does not follow" in problems(five)


def test_an_edited_last_row_is_detected_also_after_more_rows(five):
    *others, last = lines(five)
    write(five, [*others, last.replace(b"Dr 4", b"Dr 5")])
    assert "Row 5 is not the last row" in problems(five)
    journal.append(five, Event(Kind.ROLLED_BACK))
    assert "Line 6 (row 6) does not follow" in problems(five)


def test_a_missing_head_file_is_reported_and_recorded_in_the_next_row(five):
    (five / journal.HEAD).unlink()
    assert "is missing or damaged" in problems(five)
    journal.append(five, Event(Kind.PROMOTED, model_id="m-9"))
    assert [row.event.kind for row in journal.rows(five)[-2:]] == [Kind.RECOUNTED, Kind.PROMOTED]
    (problem,) = journal.verify(five).problems  # from then on
    assert problem.startswith("Row 6 says that the rows were counted again at 20")


def test_a_deleted_journal_is_detected(five):
    (five / journal.ROWS).unlink()
    assert "had 5 rows and has 0" in problems(five)


def test_a_hash_kept_elsewhere_detects_a_rewritten_journal(five, tmp_path_factory):
    kept = journal.verify(five).sha256
    assert problems(five, kept) == ""
    journal.append(five, Event(Kind.PROMOTED))
    assert problems(five, kept) == ""  # one of the rows still has it
    rewritten = tmp_path_factory.mktemp("rewritten")
    for row in journal.rows(five):
        journal.append(
            rewritten, row.event if row.number != 2 else Event(Kind.PROMOTED, who="nobody")
        )
    assert problems(rewritten) == ""
    assert f"No row has the SHA-256 {kept}" in problems(rewritten, kept)


# A killed process may have written any part of a line.


@pytest.mark.parametrize("num_bytes", [1, 40, -1])
def test_a_torn_last_line_is_dropped_and_the_chain_continues(five, num_bytes):
    torn = lines(five)[-1].replace(b'"number":5', b'"number":6')[:num_bytes]
    with (five / journal.ROWS).open("ab") as file:
        file.write(torn)
    assert problems(five) == ""
    assert len(journal.rows(five)) == 5
    journal.append(five, Event(Kind.PROMOTED, model_id="m-9"))
    assert problems(five) == ""
    assert [row.number for row in journal.rows(five)] == [1, 2, 3, 4, 5, 6]


def test_a_truncated_counted_row_is_reported_and_kept_as_evidence(five):
    path = five / journal.ROWS
    path.write_bytes(path.read_bytes()[:-9])
    assert "the last ones were deleted" in problems(five)
    journal.append(five, Event(Kind.PROMOTED))
    assert "Line 5 is not a row" in problems(five)


def test_a_missing_line_end_is_repaired(five):
    path = five / journal.ROWS
    path.write_bytes(path.read_bytes()[:-1])
    assert "the last ones were deleted" in problems(five)
    journal.append(five, Event(Kind.PROMOTED))
    assert (problems(five), len(journal.rows(five))) == ("", 6)


DYING = """
    import os, pathlib, signal, tempfile
    from melanoma_core.models import journal
    num_calls = 0
    def dying(original):
        def call(*arguments, **options):
            global num_calls
            num_calls += 1
            if num_calls == {at}:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments, **options)
        return call
    for module, name in ((os, "fsync"), (os, "replace"), (os, "chmod"), (tempfile, "mkstemp")):
        setattr(module, name, dying(getattr(module, name)))
    journal.append(pathlib.Path({folder!r}), journal.Event(journal.Kind.PROMOTED, model_id="x"))
"""


def run(code):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=PROJECT, capture_output=True, timeout=60
    )


def test_the_chain_is_sound_wherever_an_append_is_killed(five):
    num_rows = []
    for at in range(1, 20):
        done = run(DYING.format(at=at, folder=str(five)))
        assert problems(five) == ""
        num_rows.append(len(journal.rows(five)))
        journal.append(five, Event(Kind.ROLLED_BACK))
        assert problems(five) == ""
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(num_rows) >= 5
    numbers = [row.number for row in journal.rows(five)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_four_processes_writing_at_the_same_time_make_one_chain(tmp_path):
    code = """
        import pathlib, sys
        from melanoma_core.models import journal
        for number in range(10):
            journal.append(
                pathlib.Path(sys.argv[1]),
                journal.Event(journal.Kind.PROMOTED, who=sys.argv[2], model_id=str(number)),
            )
    """
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), str(tmp_path), str(writer)], cwd=PROJECT
        )
        for writer in range(4)
    ]
    while any(writer.poll() is None for writer in writers):
        assert problems(tmp_path) == ""  # nor does a reader in between find any
    assert [writer.returncode for writer in writers] == [0] * 4
    rows = journal.rows(tmp_path)
    assert [row.number for row in rows] == list(range(1, 41))
    assert sorted((row.event.who, row.event.model_id) for row in rows) == sorted(
        (str(writer), str(number)) for writer in range(4) for number in range(10)
    )
    assert problems(tmp_path) == ""


def test_a_full_disk_leaves_no_part_of_a_row(five, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(JournalError, match="No space left on device"):
        journal.append(five, Event(Kind.PROMOTED))
    monkeypatch.undo()
    assert len(lines(five)) == 5
    assert problems(five) == ""


def test_the_command_lists_and_verifies(five, monkeypatch):
    monkeypatch.setenv("MELANOMA_MODELS", str(five))
    listed = CliRunner().invoke(main, ["journal"])
    assert listed.exit_code == 0
    assert len(listed.stdout.splitlines()) == 5
    assert "promoted  m-4  by Dr 4" in listed.stdout
    records = [
        json.loads(line)
        for line in CliRunner().invoke(main, ["journal", "--json"]).stdout.splitlines()
    ]
    assert records[4] | {"when": "", "sha256": ""} == {
        "number": 5, "kind": "promoted", "who": "Dr 4", "model_id": "m-4", "card_sha256": "",
        "run_id": "", "datasets": {}, "reason": "", "against": "", "when": "", "sha256": "",
    }  # fmt: skip
    sound = CliRunner().invoke(main, ["journal", "--verify"])
    assert sound.exit_code == 0
    assert "5 rows, none changed. Keep this hash elsewhere" in sound.stdout
    assert records[4]["sha256"] in sound.stdout
    write(five, lines(five)[1:])
    damaged = CliRunner().invoke(main, ["journal", "--verify", "--json"])
    assert damaged.exit_code == 2
    record = json.loads(damaged.stdout)
    assert record["num_rows"] == 4
    assert "Line 1 (row 2) does not follow" in record["problems"][0]


def verified(folder, monkeypatch, *options):
    monkeypatch.setenv("MELANOMA_MODELS", str(folder))
    return CliRunner().invoke(main, ["journal", "--verify", *options])


def test_verifying_a_truncated_journal_without_its_head_file_writes_nothing(tmp_path, monkeypatch):
    stub_models.add(tmp_path, stub_models.card("m-1"), in_use=False)
    for _ in range(2):
        newest = store.set_champion(tmp_path, "m-1", kind=Kind.PROMOTED)
        journal.append(tmp_path, Event(Kind.PROMOTED, model_id="m-1", when=newest.since))
    write(tmp_path, lines(tmp_path)[:-1])
    (tmp_path / journal.HEAD).unlink()
    before = {path: path.read_bytes() for path in tmp_path.glob("*") if path.is_file()}
    tmp_path.chmod(0o500)
    try:
        for options in ((), ("--json",)):
            result = verified(tmp_path, monkeypatch, *options)
            assert result.exit_code == 2
            assert "is missing or damaged" in result.stdout
    finally:
        tmp_path.chmod(0o700)
    listed = CliRunner().invoke(main, ["journal"])
    assert (listed.exit_code, len(listed.stdout.splitlines())) == (0, 1)
    assert "is missing or damaged" in listed.stderr
    assert {path: path.read_bytes() for path in tmp_path.glob("*") if path.is_file()} == before


def test_the_command_reports_rows_that_were_counted_again(five, monkeypatch):
    (five / journal.HEAD).unlink()
    journal.append(five, Event(Kind.PROMOTED))
    result = verified(five, monkeypatch)
    assert result.exit_code == 2
    assert "counted again" in result.stdout
    assert "none changed" not in result.stdout


def test_a_deleted_journal_is_detected_by_champion_json(tmp_path, monkeypatch):
    for model_id in ("m-1", "m-2"):
        stub_models.add(tmp_path, stub_models.card(model_id), in_use=False)
        store.set_champion(tmp_path, model_id, kind=Kind.PROMOTED)
        newest = promotion.unwritten(tmp_path)
        assert newest.model_id == model_id
        killed = verified(tmp_path, monkeypatch)  # a missing row may be that of a killed process
        assert (killed.exit_code, journal.rows(tmp_path)[1:]) == (0, ())
        assert f"“{model_id}” was promoted at {newest.since}, which has no row yet" in killed.stderr
        promotion.settle(tmp_path)
    assert verified(tmp_path, monkeypatch).exit_code == 0
    for name in (journal.ROWS, journal.HEAD):
        (tmp_path / name).unlink()
    result = verified(tmp_path, monkeypatch)
    assert result.exit_code == 2
    assert "The journal has no row for “m-1”, which was promoted at 20" in result.stdout
    assert "the row, or the whole journal, was deleted" in result.stdout
    assert journal.rows(tmp_path) == ()


@pytest.mark.parametrize(
    ("old", "damaged", "reason"),
    [
        ('"number":3', '"number":1e999', "its number is inf; a whole number was expected"),
        ('"number":3', '"number":3.5', "its number is 3.5"),
        ('"number":3', '"number":"3"', "its number is '3'"),
        ('"who":"Dr 2"', '"who":5', "its who is 5; text was expected"),
        ('"datasets":{}', '"datasets":5', "its datasets are 5"),
        ('"datasets":{}', '"datasets":{"a":1}', "its a is 1"),
        ('"kind":"promoted"', '"kind":"elected"', "'elected' is not a valid Kind"),
        ('"kind":', '"sort":1,"kind":', "it has unknown fields: sort"),
    ],
)
def test_a_damaged_row_is_reported_with_its_value_and_not_listed(
    five, monkeypatch, old, damaged, reason
):
    changed = lines(five)
    assert old.encode() in changed[2]
    changed[2] = changed[2].replace(old.encode(), damaged.encode())
    write(five, changed)
    result = verified(five, monkeypatch)
    assert result.exit_code == 2
    assert f"Line 3 is not a row of the journal ({reason}" in result.stdout
    assert "Restore the journal from a copy." in result.stdout
    listed = CliRunner().invoke(main, ["journal"])
    assert (listed.exit_code, len(listed.stdout.splitlines())) == (0, 4)
    assert len(journal.rows(five)) == 4


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ('{"num_rows": 1e999, "sha256": ""}', "its num_rows is inf; a whole number was expected"),
        ('{"num_rows": true, "sha256": ""}', "its num_rows is True"),
        ('{"num_rows": 5}', "its sha256 is None; text was expected"),
        ("[5]", "it is [5]; an object in braces was expected"),
        ("", "Expecting value"),
    ],
)
def test_a_damaged_head_file_is_reported_with_its_value(five, monkeypatch, head, reason):
    (five / journal.HEAD).write_text(head)
    result = verified(five, monkeypatch)
    assert result.exit_code == 2
    assert f"{journal.HEAD} is missing or damaged ({reason}" in result.stdout
    journal.append(five, Event(Kind.PROMOTED))
    assert "counted again" in problems(five)


@pytest.mark.parametrize(("name", "value"), [("kind", "elected"), ("model_id", 5)])
def test_a_damaged_champion_json_is_reported_with_the_journal(five, monkeypatch, name, value):
    entry = {"model_id": "m-4", "since": "2026-11-14", "sha256": "ab", "kind": "promoted"}
    (five / "champion.json").write_text(json.dumps({"champions": [entry | {name: value}]}))
    write(five, lines(five)[1:])
    result = verified(five, monkeypatch)
    assert result.exit_code == 2
    assert "Line 1 (row 2) does not follow" in result.stdout
    assert (
        f"champion.json, which names the model in use, cannot be read ({name} is" in result.stdout
    )
