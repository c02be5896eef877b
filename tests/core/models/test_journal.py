"""The journal: rows in a chain, found out where one was edited, deleted or moved."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner

from melanoma_core.__main__ import main
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


def problems(folder, noted=None):
    return " ".join(journal.verify(folder, noted).problems)


def test_a_row_says_when_who_what_and_follows_the_row_before(tmp_path):
    first = journal.append(
        tmp_path,
        Event(
            Kind.TRAINING_ENDED, who="Dr Li", model_id="m-1", card_sha256="ab", run_id="r-1",
            datasets={"ham10000": "cd"},
        ),
    )  # fmt: skip
    second = journal.append(tmp_path, Event(Kind.OVERRULED, reason="needed\nfor research"))
    found = journal.rows(tmp_path)
    assert found == (first, second)
    assert (first.number, first.event.datasets) == (1, {"ham10000": "cd"})
    assert first.event.when.endswith("+00:00")
    assert second.event.who == "not given"
    assert second.event.reason == "needed for research"
    one, two = (json.loads(line) for line in lines(tmp_path))
    assert one["previous"] == "0" * 64
    assert two["previous"] == first.sha256
    check = journal.verify(tmp_path)
    assert (check.num_rows, check.sha256, check.problems) == (2, second.sha256, ())


def test_names_are_kept_short_and_on_one_line(tmp_path):
    event = journal.append(tmp_path, Event(Kind.PROMOTED, who="a\u202eb\n" + "x" * 200)).event
    assert event.who.startswith("a b x")
    assert len(event.who) == 80


def test_an_absent_journal_is_empty_and_whole(tmp_path):
    assert journal.rows(tmp_path) == ()
    assert journal.verify(tmp_path) == journal.Check(0, "0" * 64, ())


def test_the_files_beside_the_models_are_no_models(five):
    assert store.list_cards(five) == ([], [])


@pytest.mark.parametrize("place", range(5))
def test_an_edited_row_is_found(five, place):
    changed = lines(five)
    changed[place] = changed[place].replace(b'"who":"Dr', b'"who":"Mr')
    write(five, changed)
    assert "edited" in problems(five)


@pytest.mark.parametrize("place", range(5))
def test_a_deleted_row_is_found(five, place):
    changed = lines(five)
    del changed[place]
    write(five, changed)
    assert "deleted" in problems(five)


@pytest.mark.parametrize("place", range(4))
def test_rows_that_changed_places_are_found(five, place):
    changed = lines(five)
    changed[place : place + 2] = changed[place + 1], changed[place]
    write(five, changed)
    assert problems(five)


def test_a_row_put_in_is_found_between_rows_and_behind_two(five):
    sound = lines(five)
    write(five, [*sound[:2], sound[1], *sound[2:]])
    assert "put in" in problems(five)
    write(five, [*sound, *sound[-2:]])
    assert problems(five)


@pytest.mark.parametrize("num_deleted", [1, 5])
def test_the_last_rows_missing_are_found_and_the_gap_stays_after_more_rows(five, num_deleted):
    write(five, lines(five)[: 5 - num_deleted])
    assert "the last were deleted" in problems(five)
    for _ in range(3):
        journal.append(five, Event(Kind.ROLLED_BACK))
    assert "does not follow" in problems(five)


def test_an_edited_last_row_stays_found_after_more_rows(five):
    *others, last = lines(five)
    write(five, [*others, last.replace(b"Dr 4", b"Dr 5")])
    assert "Row 5 is not the one" in problems(five)
    journal.append(five, Event(Kind.ROLLED_BACK))
    assert "Line 6 (row 6) does not follow" in problems(five)


def test_a_journal_without_its_second_file_is_said_and_goes_on_with_a_row_that_tells(five):
    (five / journal.HEAD).unlink()
    assert "is missing or damaged" in problems(five)
    journal.append(five, Event(Kind.PROMOTED, model_id="m-9"))
    assert [row.event.kind for row in journal.rows(five)[-2:]] == [Kind.RECOUNTED, Kind.PROMOTED]
    (told,) = journal.verify(five).problems  # and ever after
    assert told.startswith("Row 6 says that the rows were counted anew at 20")


def test_a_deleted_journal_is_found(five):
    (five / journal.ROWS).unlink()
    assert "had 5 rows and has 0" in problems(five)


def test_what_was_noted_elsewhere_finds_out_a_journal_written_anew(five, tmp_path_factory):
    noted = journal.verify(five).sha256
    assert problems(five, noted) == ""
    journal.append(five, Event(Kind.PROMOTED))
    assert problems(five, noted) == ""  # one of the rows has it still
    anew = tmp_path_factory.mktemp("anew")
    for row in journal.rows(five):
        journal.append(anew, row.event if row.number != 2 else Event(Kind.PROMOTED, who="nobody"))
    assert problems(anew) == ""
    assert "that was noted" in problems(anew, noted)


# A killed process: everything before the line's end may or may not have reached the file.


@pytest.mark.parametrize("num_bytes", [1, 40, -1])
def test_a_torn_last_line_is_dropped_and_the_chain_goes_on(five, num_bytes):
    torn = lines(five)[-1].replace(b'"number":5', b'"number":6')[:num_bytes]
    with (five / journal.ROWS).open("ab") as file:
        file.write(torn)
    assert problems(five) == ""
    assert len(journal.rows(five)) == 5
    journal.append(five, Event(Kind.PROMOTED, model_id="m-9"))
    assert problems(five) == ""
    assert [row.number for row in journal.rows(five)] == [1, 2, 3, 4, 5, 6]


def test_a_whole_row_that_was_cut_is_no_torn_one_and_stays_as_evidence(five):
    path = five / journal.ROWS
    path.write_bytes(path.read_bytes()[:-9])
    assert "the last were deleted" in problems(five)
    journal.append(five, Event(Kind.PROMOTED))
    assert "Line 5 is no row" in problems(five)


def test_a_cut_line_end_alone_is_mended(five):
    path = five / journal.ROWS
    path.write_bytes(path.read_bytes()[:-1])
    assert "the last were deleted" in problems(five)
    journal.append(five, Event(Kind.PROMOTED))
    assert (problems(five), len(journal.rows(five))) == ("", 6)


DYING = """
    import os, pathlib, signal, tempfile
    from melanoma_core import journal
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


def test_the_chain_holds_wherever_an_append_is_killed(five):
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


def test_four_processes_that_write_at_once_keep_one_chain(tmp_path):
    code = """
        import pathlib, sys
        from melanoma_core import journal
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
        assert problems(tmp_path) == ""  # a reader in between finds nothing either
    assert [writer.returncode for writer in writers] == [0] * 4
    found = journal.rows(tmp_path)
    assert [row.number for row in found] == list(range(1, 41))
    assert sorted((row.event.who, row.event.model_id) for row in found) == sorted(
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
    assert "5 rows, none changed. Note elsewhere, to find out even a journal" in sound.stdout
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


def test_verifying_a_cut_journal_without_its_second_file_tells_and_writes_nothing(
    tmp_path, monkeypatch
):
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
            told = verified(tmp_path, monkeypatch, *options)
            assert told.exit_code == 2
            assert "is missing or damaged" in told.stdout
    finally:
        tmp_path.chmod(0o700)
    listed = CliRunner().invoke(main, ["journal"])
    assert (listed.exit_code, len(listed.stdout.splitlines())) == (0, 1)
    assert "is missing or damaged" in listed.stderr
    assert {path: path.read_bytes() for path in tmp_path.glob("*") if path.is_file()} == before


def test_rows_that_were_counted_anew_are_told_by_the_command(five, monkeypatch):
    (five / journal.HEAD).unlink()
    journal.append(five, Event(Kind.PROMOTED))
    told = verified(five, monkeypatch)
    assert told.exit_code == 2
    assert "counted anew" in told.stdout
    assert "none changed" not in told.stdout


def test_a_journal_deleted_whole_is_found_by_what_champion_json_remembers(tmp_path, monkeypatch):
    for model_id in ("m-1", "m-2"):
        stub_models.add(tmp_path, stub_models.card(model_id), in_use=False)
        store.set_champion(tmp_path, model_id, kind=Kind.PROMOTED)
        newest = promotion.unwritten(tmp_path)
        assert newest.model_id == model_id
        killed = verified(tmp_path, monkeypatch)  # one without a row may be a killed process
        assert (killed.exit_code, journal.rows(tmp_path)[1:]) == (0, ())
        assert f"“{model_id}” was promoted at {newest.since}, which has no row yet" in killed.stderr
        promotion.settle(tmp_path)
    assert verified(tmp_path, monkeypatch).exit_code == 0
    for name in (journal.ROWS, journal.HEAD):
        (tmp_path / name).unlink()
    told = verified(tmp_path, monkeypatch)
    assert told.exit_code == 2
    assert "“m-1” was promoted at 20" in told.stdout
    assert "the row, or the whole journal, was deleted" in told.stdout
    assert journal.rows(tmp_path) == ()


@pytest.mark.parametrize(
    ("old", "damaged", "told"),
    [
        ('"number":3', '"number":1e999', "its number is inf; a whole number was expected"),
        ('"number":3', '"number":3.5', "its number is 3.5"),
        ('"number":3', '"number":"3"', "its number is '3'"),
        ('"who":"Dr 2"', '"who":5', "its who is 5; text was expected"),
        ('"datasets":{}', '"datasets":5', "its datasets are 5"),
        ('"datasets":{}', '"datasets":{"a":1}', "its a is 1"),
        ('"kind":"promoted"', '"kind":"elected"', "'elected' is not a valid Kind"),
        ('"kind":', '"sort":1,"kind":', "it has sort, which no row has"),
    ],
)
def test_a_damaged_row_is_named_with_what_came_and_left_out_of_the_list(
    five, monkeypatch, old, damaged, told
):
    changed = lines(five)
    assert old.encode() in changed[2]
    changed[2] = changed[2].replace(old.encode(), damaged.encode())
    write(five, changed)
    found = verified(five, monkeypatch)
    assert found.exit_code == 2
    assert f"Line 3 is no row of the journal ({told}" in found.stdout
    assert "Restore the journal from a copy." in found.stdout
    listed = CliRunner().invoke(main, ["journal"])
    assert (listed.exit_code, len(listed.stdout.splitlines())) == (0, 4)
    assert len(journal.rows(five)) == 4


@pytest.mark.parametrize(
    ("head", "told"),
    [
        ('{"num_rows": 1e999, "sha256": ""}', "its num_rows is inf; a whole number was expected"),
        ('{"num_rows": true, "sha256": ""}', "its num_rows is True"),
        ('{"num_rows": 5}', "its sha256 is None; text was expected"),
        ("[5]", "it is [5]; an object in braces was expected"),
        ("", "Expecting value"),
    ],
)
def test_a_damaged_second_file_is_told_with_what_came(five, monkeypatch, head, told):
    (five / journal.HEAD).write_text(head)
    found = verified(five, monkeypatch)
    assert found.exit_code == 2
    assert f"{journal.HEAD} is missing or damaged ({told}" in found.stdout
    journal.append(five, Event(Kind.PROMOTED))
    assert "counted anew" in problems(five)


@pytest.mark.parametrize(("name", "value"), [("kind", "elected"), ("model_id", 5)])
def test_a_damaged_record_of_the_model_in_use_is_told_beside_the_journal(
    five, monkeypatch, name, value
):
    entry = {"model_id": "m-4", "since": "2026-11-14", "sha256": "ab", "kind": "promoted"}
    (five / "champion.json").write_text(json.dumps({"in_use": [entry | {name: value}]}))
    write(five, lines(five)[1:])
    found = verified(five, monkeypatch)
    assert found.exit_code == 2
    assert "Line 1 (row 2) does not follow" in found.stdout
    assert f"champion.json, which names the model in use, cannot be read ({name} is" in found.stdout
