"""A candidate becomes the champion only when it is shown to be no worse."""

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from melanoma_core.errors import JournalError, ModelError
from melanoma_core.evaluation import promotion
from melanoma_core.images import synthetic
from melanoma_core.metrics import calibration
from melanoma_core.models import journal, predict, store
from melanoma_core.models.journal import Kind
from tests.support import altered_models
from tests.support.made_candidates import NUM_MELANOMAS, SIGNED, add, measured

PROJECT = Path(__file__).resolve().parents[3]


def test_the_first_model_is_promoted_without_a_comparison(models_in_use):
    (models_in_use / "champion.json").unlink()
    promoted = promotion.promote(models_in_use, "tiny-1", **SIGNED)
    assert (promoted.comparison, promoted.problems) == (None, ())
    assert store.champions(models_in_use) == (promoted.champion,)
    assert promoted.champion.sha256 == predict.load(models_in_use / "tiny-1").sha256


def test_a_damaged_model_is_not_promoted(models_in_use):
    (models_in_use / "champion.json").unlink()
    (models_in_use / "tiny-1" / "golden.npz").write_bytes(b"")
    with pytest.raises(ModelError, match=r"golden\.npz"):
        promotion.promote(models_in_use, "tiny-1", **SIGNED)
    assert store.champion(models_in_use) is None


def test_an_equal_candidate_is_promoted(champion_in_use):
    add(champion_in_use, "equal", measured(36))
    promoted = promotion.promote(champion_in_use, "equal", **SIGNED)
    assert (promoted.comparison.champion_id, promoted.comparison.num_photographs) == (
        "champion", 80,
    )  # fmt: skip
    assert promoted.comparison.num_melanomas == NUM_MELANOMAS
    assert [(c.name, c.value, c.lower_bound) for c in promoted.comparison.changes] == [
        ("sensitivity", 0, 0), ("melanoma AUROC", 0, 0), ("specificity", 0, 0),
    ]  # fmt: skip
    assert store.champion(champion_in_use) == promoted.champion
    assert [e.model_id for e in store.champions(champion_in_use)] == ["equal", "champion", "tiny-1"]
    assert predict.load_champion(champion_in_use)[0].card.model_id == "equal"


def test_a_better_candidate_is_promoted_with_its_differences(champion_in_use):
    add(champion_in_use, "better", measured(40, num_spared=32))
    sensitivity, auroc, specificity = promotion.promote(
        champion_in_use, "better", **SIGNED
    ).comparison.changes
    assert sensitivity.value == pytest.approx(4 / 40)
    assert specificity.value == pytest.approx(2 / 40)
    # Of two scores only: AUROC is the mean of sensitivity and specificity.
    assert auroc.value == pytest.approx(3 / 40)
    for change in (sensitivity, auroc, specificity):
        assert 0 <= change.lower_bound < change.value


def test_a_worse_candidate_is_refused_and_the_champion_stays(champion_in_use):
    before = (champion_in_use / "champion.json").read_bytes()
    add(champion_in_use, "worse", measured(30, num_spared=40))
    with pytest.raises(ModelError, match="“champion” stays in use") as refusal:
        promotion.promote(champion_in_use, "worse", **SIGNED)
    for change in ("sensitivity -0.150 (lower limit -0.", "AUROC +0.050 (", "specificity +0.250 ("):
        assert change in str(refusal.value)
    assert (champion_in_use / "champion.json").read_bytes() == before
    model, problem = predict.load_champion(champion_in_use)
    assert (model.card.model_id, problem) == ("champion", None)


def damage(models_dir: Path, model_id: str) -> None:
    (models_dir / model_id / "network.tflite").write_bytes(b"damaged")


def test_a_damaged_champion_is_replaced_by_a_model_no_worse_than_the_one_before(
    champion_in_use,
):
    add(champion_in_use, "second", measured(38))
    promotion.promote(champion_in_use, "second", **SIGNED)
    add(champion_in_use, "worse", measured(20))
    add(champion_in_use, "third", measured(36))
    damage(champion_in_use, "second")
    with pytest.raises(ModelError, match=r"Compared with “champion”.*“champion” stays in use"):
        promotion.promote(champion_in_use, "worse", **SIGNED)
    promoted = promotion.promote(champion_in_use, "third", **SIGNED)
    assert promoted.comparison.champion_id == "champion"
    (problem,) = promoted.problems
    assert "network.tflite of the model “second”" in problem
    assert store.champion(champion_in_use).model_id == "third"


def test_a_champion_whose_card_has_changed_is_skipped(champion_in_use):
    text = (champion_in_use / "champion.json").read_text()
    sha256 = store.champion(champion_in_use).sha256
    (champion_in_use / "champion.json").write_text(text.replace(sha256, "0" * 64))
    # The model before, which answers meanwhile.
    promoted = promotion.promote(champion_in_use, "tiny-1", **SIGNED)
    assert promoted.comparison.champion_id == "tiny-1"
    assert "card of “champion” was changed" in promoted.problems[0]


def test_a_candidate_is_not_compared_when_every_champion_is_damaged(champion_in_use):
    add(champion_in_use, "next", measured(20))
    damage(champion_in_use, "champion")
    (champion_in_use / "tiny-1" / "evaluation.json").unlink()
    promoted = promotion.promote(champion_in_use, "next", **SIGNED)
    assert promoted.comparison is None
    assert [part in problem for part, problem in zip(
        ("network.tflite of the model “champion”", "“tiny-1” lacks its file evaluation.json"),
        promoted.problems, strict=True,
    )] == [True, True]  # fmt: skip
    assert store.champion(champion_in_use).model_id == "next"


def test_the_champion_itself_and_an_unknown_model_are_refused(champion_in_use):
    with pytest.raises(ModelError, match="“champion” is already in use, since 20"):
        promotion.promote(champion_in_use, "champion", **SIGNED)
    with pytest.raises(ModelError, match="There is no model “nobody”"):
        promotion.promote(champion_in_use, "nobody", **SIGNED)


def test_the_journal_has_author_reason_and_checksums_of_a_promotion(champion_in_use):
    add(champion_in_use, "better", measured(40))
    newest = promotion.promote(
        champion_in_use, "better", author="Dr Li", reason="Finds more"
    ).champion
    assert (newest.author, newest.reason, newest.kind) == ("Dr Li", "Finds more", "promoted")
    assert store.champion(champion_in_use) == newest
    (row,) = journal.rows(champion_in_use)
    card = store.read_card(champion_in_use / "better")
    assert row.event == journal.Event(
        Kind.PROMOTED, who="Dr Li", model_id="better", card_sha256=newest.sha256,
        run_id=card.run_id, datasets={use.name: use.sha256 for use in card.datasets},
        reason="Finds more", when=newest.since,
    )  # fmt: skip
    assert row.event.datasets
    assert journal.verify(champion_in_use).problems == ()


def test_a_forced_promotion_keeps_its_reason_and_the_objection(champion_in_use):
    add(champion_in_use, "worse", measured(30, num_spared=40))
    reason = "For the study on specificity"
    promoted = promotion.promote(
        champion_in_use, "worse", author="Dr Li", reason=reason, force=True
    )
    assert not promoted.comparison.is_no_worse
    newest = store.champion(champion_in_use)
    assert (newest.model_id, newest.kind, newest.reason) == ("worse", "overruled", reason)
    objection = "it may be worse. Compared with “champion” on 80 test photographs, 40 of them mel"
    assert objection in newest.against
    (row,) = journal.rows(champion_in_use)
    assert (row.event.kind, row.event.reason) == (Kind.OVERRULED, reason)
    assert row.event.against == newest.against


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(
    ("author", "reason", "told"),
    [
        ("Dr Li", "", "The reason has 0 characters"),
        ("Dr Li", "   \n ", "The reason has 0 characters"),
        ("Dr Li", "because", "The reason has 7 characters; at least 10"),
        (" ", "Asked for by the study", "The name is empty"),
    ],
)
def test_the_champion_is_changed_only_with_a_name_and_a_reason(
    champion_in_use, author, reason, told, force
):
    add(champion_in_use, "better", measured(40))
    with pytest.raises(ModelError, match=told):
        promotion.promote(champion_in_use, "better", author=author, reason=reason, force=force)
    with pytest.raises(ModelError, match=told):
        promotion.roll_back(champion_in_use, author=author, reason=reason)
    assert store.champion(champion_in_use).model_id == "champion"
    assert journal.rows(champion_in_use) == ()


def test_a_reason_alone_forces_nothing(champion_in_use):
    add(champion_in_use, "worse", measured(30))
    with pytest.raises(ModelError, match="it may be worse"):
        promotion.promote(
            champion_in_use, "worse", reason="a reason alone forces nothing", author="Dr Li"
        )
    assert store.champion(champion_in_use).model_id == "champion"
    assert journal.rows(champion_in_use) == ()


def test_forcing_a_model_that_passes_is_an_ordinary_promotion(champion_in_use):
    add(champion_in_use, "better", measured(40))
    promotion.promote(
        champion_in_use, "better", reason="To be on the safe side", force=True, author="Dr Li"
    )
    assert store.champion(champion_in_use).kind == "promoted"


def test_a_model_that_cannot_be_compared_must_be_forced(champion_in_use):
    elsewhere = {name: [f"e{row}" for row in range(80)] for name in ("image_id", "group_id")}
    add(champion_in_use, "elsewhere", measured(40, changed=elsewhere))
    with pytest.raises(ModelError, match="share no test photographs with the same diagnoses"):
        promotion.promote(champion_in_use, "elsewhere", **SIGNED)
    promoted = promotion.promote(
        champion_in_use, "elsewhere", reason="Other cameras from now on", force=True, author="Dr Li"
    )
    assert promoted.comparison is None
    assert "share no test photographs" in store.champion(champion_in_use).against


def test_a_model_that_fails_its_golden_set_cannot_be_forced(champion_in_use):
    arrays = altered_models.arrays_of(champion_in_use / "tiny-1" / "golden.npz")
    arrays["probabilities"] = arrays["probabilities"][:, ::-1]
    golden = {"golden.npz": altered_models.npz(**arrays)}
    add(champion_in_use, "odd", measured(40), files=golden)
    with pytest.raises(ModelError, match="answered when it was made"):
        promotion.promote(
            champion_in_use, "odd", reason="I want it all the same", force=True, author="Dr Li"
        )
    assert store.champion(champion_in_use).model_id == "champion"


def other_head(directory: Path) -> dict[str, bytes]:
    """A dense layer that favors other diagnoses, with its golden answers."""
    head = altered_models.arrays_of(directory / "head.npz")
    head["bias"] = head["bias"][::-1] + np.arange(9, dtype=np.float32)
    files = {"head.npz": altered_models.npz(**head)}
    network = predict.read_network((directory / "network.tflite").read_bytes(), files["head.npz"])
    golden = altered_models.arrays_of(directory / "golden.npz")
    logits = network.logits_of(golden["images"])
    calibration_of_card = store.read_card(directory).calibration
    golden["probabilities"] = calibration.probabilities(logits, calibration_of_card)
    return files | {"golden.npz": altered_models.npz(**golden)}


def test_rolling_back_restores_files_and_predictions(champion_in_use):
    image = synthetic.lesion(3)
    before = predict.load_champion(champion_in_use)[0]
    add(champion_in_use, "next", measured(40), files=other_head(champion_in_use / "tiny-1"))
    promotion.promote(champion_in_use, "next", **SIGNED)
    after = predict.load_champion(champion_in_use)[0]
    assert (predict.classify(before, image).probabilities != (
        predict.classify(after, image).probabilities
    )).any()  # fmt: skip
    newest, problems = promotion.roll_back(champion_in_use, author="Dr Li", reason="Too many flags")
    assert (newest.model_id, newest.kind, problems) == ("champion", "rolled back", ())
    model, problem = predict.load_champion(champion_in_use)
    assert problem is None
    assert (model.card, model.sha256) == (before.card, before.sha256)
    assert (predict.classify(model, image).probabilities == (
        predict.classify(before, image).probabilities
    )).all()  # fmt: skip
    kinds = [row.event.kind for row in journal.rows(champion_in_use)]
    assert kinds == [Kind.PROMOTED, Kind.ROLLED_BACK]
    assert [e.model_id for e in store.champions(champion_in_use)] == ["champion", "next", "tiny-1"]
    assert (
        promotion.roll_back(champion_in_use, **SIGNED)[0].model_id == "next"
    )  # the previous champion


def test_every_period_of_use_is_remembered(champion_in_use):
    first = store.champion(champion_in_use)
    add(champion_in_use, "next", measured(36))
    promotion.promote(champion_in_use, "next", **SIGNED)
    promotion.roll_back(champion_in_use, **SIGNED)
    periods = promotion.periods_of_use(champion_in_use)
    assert [(entry.model_id, entry.kind) for entry in periods] == [
        ("champion", "rolled back"), ("next", "promoted"), ("champion", ""), ("tiny-1", ""),
    ]  # fmt: skip
    assert periods[2] == first
    assert promotion.lost_rows(champion_in_use) == ()

    # As earlier versions wrote champion.json: without the earlier periods of the same model.
    path = champion_in_use / "champion.json"
    record = json.loads(path.read_text())
    promotion.promote(champion_in_use, "next", **SIGNED)
    record["champions"] = [record["champions"][0]]
    path.write_text(json.dumps(record))
    assert [entry.model_id for entry in promotion.periods_of_use(champion_in_use)] == [
        "next", "champion", "next",
    ]  # fmt: skip


def test_each_of_the_last_five_champions_can_be_restored(models_in_use):
    ids = [f"m-{number}" for number in range(7)]
    for model_id in ids:
        add(models_in_use, model_id, measured(36))
        promotion.promote(
            models_in_use, model_id, reason="Made for this test", force=True, author="Dr Li"
        )
    earlier = [entry.model_id for entry in store.champions(models_in_use)][1:]
    assert earlier == ["m-5", "m-4", "m-3", "m-2", "m-1"]
    with pytest.raises(ModelError, match=r"no model “m-0” to go back to\..*before: m-5, m-4, m-3"):
        promotion.roll_back(models_in_use, "m-0", **SIGNED)
    for model_id in reversed(earlier):
        promotion.roll_back(models_in_use, model_id, **SIGNED)
        assert predict.load_champion(models_in_use)[0].card.model_id == model_id
    with pytest.raises(ModelError, match="“m-5” is already in use"):
        promotion.roll_back(models_in_use, "m-5", **SIGNED)
    assert journal.verify(models_in_use).problems == ()


def test_rolling_back_without_an_earlier_champion_is_refused(empty_models):
    with pytest.raises(ModelError, match=r"no model to go back to\. Models .* before: none"):
        promotion.roll_back(empty_models, **SIGNED)


@pytest.mark.parametrize("how", ["damaged", "swapped"])
def test_a_model_whose_files_have_changed_cannot_be_restored(champion_in_use, how):
    if how == "damaged":
        damage(champion_in_use, "tiny-1")
    else:
        text = (champion_in_use / "champion.json").read_text()
        sha256 = store.champions(champion_in_use)[1].sha256
        (champion_in_use / "champion.json").write_text(text.replace(sha256, "0" * 64))
    with pytest.raises(ModelError, match=r"not the one that was made|was changed after it"):
        promotion.roll_back(champion_in_use, **SIGNED)
    assert store.champion(champion_in_use).model_id == "champion"


def test_a_model_is_promoted_although_the_journal_cannot_be_written(champion_in_use, monkeypatch):
    def full(models_dir, event):
        raise JournalError("The journal of the models cannot be written (No space left).")

    add(champion_in_use, "better", measured(40))
    monkeypatch.setattr(journal, "append", full)
    promoted = promotion.promote(champion_in_use, "better", **SIGNED)
    assert promoted.problems == ("The journal of the models cannot be written (No space left).",)
    assert store.champion(champion_in_use).model_id == "better"
    with pytest.raises(JournalError):  # no further change before that row is written
        promotion.roll_back(champion_in_use, **SIGNED)
    monkeypatch.undo()
    promotion.roll_back(champion_in_use, **SIGNED)
    assert [row.event.kind for row in journal.rows(champion_in_use)] == [
        Kind.PROMOTED, Kind.ROLLED_BACK,
    ]  # fmt: skip


def test_a_champion_without_a_kind_gets_no_row(champion_in_use):
    promotion.settle(champion_in_use)
    assert journal.rows(champion_in_use) == ()


def test_settling_during_a_promotion_writes_no_second_row(champion_in_use, monkeypatch):
    settling = threading.Thread(target=promotion.settle, args=(champion_in_use,))
    set_champion = store.set_champion

    def set_champion_while_settling(*arguments, **options):
        newest = set_champion(*arguments, **options)
        settling.start()
        settling.join(1)  # long enough to write a row if it does not wait for the lock
        return newest

    monkeypatch.setattr(store, "set_champion", set_champion_while_settling)
    add(champion_in_use, "worse", measured(20))
    promotion.promote(
        champion_in_use, "worse", reason="Asked for by us", force=True, author="Dr Li"
    )
    settling.join(30)
    assert not settling.is_alive()
    assert [row.event.kind for row in journal.rows(champion_in_use)] == [Kind.OVERRULED]


# One process loads everything once. Its children promote; each is killed one system call later
# than the one before, while it writes champion.json or the journal.
KILLED = """
import json, os, pathlib, shutil, signal, sys, tempfile
from melanoma_core.evaluation import promotion
from melanoma_core.models import journal, predict
from tests.support.made_candidates import SIGNED

promotion._compare = lambda *models: (None, "")  # takes a second, and writes nothing
source, work = map(pathlib.Path, sys.argv[1:])

def child(work_of_child):
    pid = os.fork()
    if pid == 0:
        try:
            work_of_child()
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(3)
        os._exit(0)
    return os.waitpid(pid, 0)[1]

for at in range(1, 40):
    folder = work / str(at)
    shutil.copytree(source, folder)

    def promote():
        num_calls = 0
        def dying(original):
            def call(*arguments, **options):
                nonlocal num_calls
                num_calls += 1
                if num_calls == at:
                    os.kill(os.getpid(), signal.SIGKILL)
                return original(*arguments, **options)
            return call
        for module, name in (
            (tempfile, "mkstemp"), (os, "fsync"), (os, "chmod"), (os, "replace"), (os, "open"),
        ):
            setattr(module, name, dying(getattr(module, name)))
        promotion.promote(folder, "next", author="Dr Li", reason="Made for this test")

    def look():
        model, problem = predict.load_champion(folder)
        found = {
            "at": at, "status": status, "champion": model.card.model_id, "problem": problem,
            "rows": [row.event.model_id for row in journal.rows(folder)],
            "tampered": journal.verify(folder).problems,
        }
        promotion.settle(folder)
        found["settled"] = [row.event.model_id for row in journal.rows(folder)]
        if found["champion"] != "next":
            promotion.promote(folder, "next", **SIGNED)
        promotion.roll_back(folder, **SIGNED)
        found["tampered"] += journal.verify(folder).problems
        found["in_the_end"] = [row.event.model_id for row in journal.rows(folder)]
        print(json.dumps(found), flush=True)

    status = child(promote)
    if child(look) or not os.WIFSIGNALED(status):
        break
"""


def test_a_champion_loads_wherever_a_promotion_is_killed(champion_in_use, tmp_path):
    add(champion_in_use, "next", measured(36))
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(champion_in_use), str(tmp_path / "killed")],
        cwd=PROJECT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["status"] for one in found] == [signal.SIGKILL] * (len(found) - 1) + [0]
    assert len(found) > 12  # champion.json takes 6 such calls, the first row of the journal more
    for one in found:
        assert (one["problem"], one["tampered"]) == (None, [])
        if one["champion"] == "champion":
            assert one["rows"] == one["settled"] == []
        else:
            assert one["champion"] == "next"
            assert one["settled"] == ["next"]  # whether or not its row was written in time
        assert one["in_the_end"] == ["next", "champion"]
    champions = [one["champion"] for one in found]
    assert champions == sorted(champions)  # first the old one, then the new one
    between = [one for one in found if one["champion"] == "next" and not one["rows"]]
    assert between, "no process was killed between champion.json and the journal"


def test_concurrent_promotions_happen_one_after_the_other(champion_in_use):
    for model_id in ("first", "second"):
        add(champion_in_use, model_id, measured(36))
    code = (
        "import pathlib, sys\nfrom melanoma_core.evaluation import promotion\n"
        "folder, model_id = pathlib.Path(sys.argv[1]), sys.argv[2]\n"
        "promotion.promote(folder, model_id, author='Li', reason='For this test')"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(champion_in_use), name], cwd=PROJECT)
        for name in ("first", "second")
    ]
    assert [writer.wait(120) for writer in writers] == [0, 0]
    champions = [entry.model_id for entry in store.champions(champion_in_use)]
    assert sorted(champions[:2]) == ["first", "second"]
    assert champions[2:] == ["champion", "tiny-1"]
    rows = [row.event.model_id for row in journal.rows(champion_in_use)]
    assert rows == champions[1::-1]
