"""Checkpoints: every array comes back, a damaged one is passed over, a write may break anywhere."""

import os
import shutil

import keras
import numpy as np
import pytest

from melanoma_core.training import checkpoints


class Power(BaseException):
    """The power that goes off: nothing may catch it."""


def made_model(seed=0):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.BatchNormalization(), keras.layers.Dense(2)]
    )
    model.compile(optimizer=keras.optimizers.AdamW(0.1), loss="mse")
    model.optimizer.build(model.trainable_variables)
    return model


@pytest.fixture(scope="module")
def trained():
    model = made_model()
    rng = np.random.default_rng(0)
    model.fit(rng.normal(size=(8, 3)), rng.normal(size=(8, 2)), epochs=2, verbose=0)
    return model


def arrays(model):
    return [np.asarray(v) for v in (*model.variables, *model.optimizer.variables)]


def equal(some, others):
    return all(np.array_equal(one, other) for one, other in zip(some, others, strict=True))


def state(epoch):
    return {"epoch": epoch, "history": [{"epoch": k + 1, "loss": 0.1} for k in range(epoch)]}


def save_epochs(directory, model, *epochs):
    for epoch in epochs:
        checkpoints.save(directory, model, state(epoch))


def kept(directory):
    return sorted(path.name for path in directory.iterdir())


def test_restored_arrays_are_identical_and_so_are_those_of_the_optimizer(trained, tmp_path):
    save_epochs(tmp_path, trained, 2)
    fresh = made_model(seed=1)
    assert not equal(arrays(fresh), arrays(trained))
    restored, notes = checkpoints.restore(tmp_path, fresh)
    assert equal(arrays(fresh), arrays(trained))
    assert int(fresh.optimizer.iterations) == 2
    assert {key: restored[key] for key in ("epoch", "history")} == state(2)
    assert notes == []


def test_without_a_checkpoint_nothing_changes(tmp_path):
    model = made_model()
    before = arrays(model)
    assert checkpoints.restore(tmp_path / "absent", model) == (None, [])
    assert equal(arrays(model), before)


def test_only_the_newest_two_are_kept(trained, tmp_path):
    save_epochs(tmp_path, trained, 1, 2, 3, 4)
    assert kept(tmp_path) == ["epoch-0003", "epoch-0004"]


def flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["arrays.npz", "state.json"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-20]),
    ],
)
def test_damaged_newest_falls_back_to_the_one_before_and_says_so(trained, tmp_path, name, damage):
    save_epochs(tmp_path, trained, 1, 2)
    damage(tmp_path / "epoch-0002" / name)
    fresh = made_model(seed=1)
    restored, notes = checkpoints.restore(tmp_path, fresh)
    assert restored["epoch"] == 1
    assert len(notes) == 1
    assert "epoch-0002 is damaged" in notes[0]
    assert equal(arrays(fresh), arrays(trained))


def test_one_wrong_bit_in_the_arrays_is_seen(trained, tmp_path):
    save_epochs(tmp_path, trained, 1, 2)
    flip_a_bit(tmp_path / "epoch-0002" / "arrays.npz")
    restored, notes = checkpoints.restore(tmp_path, made_model())
    assert restored["epoch"] == 1
    assert "checksum is wrong" in notes[0]


def test_no_flipped_bit_in_the_state_gives_another_state(trained, tmp_path):
    save_epochs(tmp_path, trained, 1, 2)
    path = tmp_path / "epoch-0002" / "state.json"
    whole = path.read_bytes()
    num_found = 0
    for bit in range(8 * len(whole)):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        try:
            assert checkpoints._read(path.parent)[0] == state(2)
        except (ValueError, KeyError, TypeError):
            num_found += 1
    assert num_found == 8 * len(whole)
    assert checkpoints.restore(tmp_path, made_model())[0]["epoch"] == 1


def test_when_both_are_damaged_the_run_begins_anew_and_keeps_what_it_saves(trained, tmp_path):
    save_epochs(tmp_path, trained, 3, 4)
    for name in kept(tmp_path):
        flip_a_bit(tmp_path / name / "arrays.npz")
    model = made_model()
    before = arrays(model)
    restored, notes = checkpoints.restore(tmp_path, model)
    assert restored is None
    assert len(notes) == 2
    assert equal(arrays(model), before)
    save_epochs(tmp_path, trained, 1)
    assert checkpoints.restore(tmp_path, model)[0]["epoch"] == 1


# Every call by which `save` changes the disk.
STEPS = [
    (checkpoints, "_write_synced"),
    (checkpoints, "sync_dir"),
    (os, "replace"),
    (shutil, "rmtree"),
]


def test_power_cut_before_or_after_any_step_of_a_save_leaves_one_to_go_on_from(
    trained, tmp_path, monkeypatch
):
    """Epoch 3 is saved over 1 and 2; the power goes off at each step in turn."""
    outcomes = []
    for cut in range(100):
        directory = tmp_path / str(cut)
        save_epochs(directory, trained, 1, 2)
        calls = 0

        def counted(call, cut=cut):
            def step(*args, **kwargs):
                nonlocal calls
                calls += 1
                if calls > cut:
                    raise Power
                return call(*args, **kwargs)

            return step

        with monkeypatch.context() as patched:
            for place, name in STEPS:
                patched.setattr(place, name, counted(getattr(place, name)))
            try:
                save_epochs(directory, trained, 3)
                whole = True
            except Power:
                whole = False
        restored, notes = checkpoints.restore(directory, made_model())
        outcomes.append(restored["epoch"])
        assert notes == []
        save_epochs(directory, trained, outcomes[-1] + 1)
        assert checkpoints.restore(directory, made_model())[0]["epoch"] == outcomes[-1] + 1
        if whole:
            break
    assert whole
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {2, 3}
    assert len(outcomes) >= 7


def test_full_disk_fails_loudly_and_leaves_no_partial_file(trained, tmp_path, monkeypatch):
    save_epochs(tmp_path, trained, 1)
    write = checkpoints._write_synced

    def full(path, data):
        write(path, data[:10])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(checkpoints, "_write_synced", full)
        with pytest.raises(OSError, match="No space left"):
            save_epochs(tmp_path, trained, 2)
    assert kept(tmp_path) == ["epoch-0001"]
    assert checkpoints.restore(tmp_path, made_model())[0]["epoch"] == 1
