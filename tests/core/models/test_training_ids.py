"""What a model was taught is known by checksums of ids."""

import numpy as np
import pandas as pd
import pytest

from melanoma_core.errors import ModelError
from melanoma_core.models import training_ids


def table(**lesions):
    return pd.DataFrame(
        {"image_id": list(lesions), "source": "clinic", "lesion_id": list(lesions.values())}
    )


def test_a_photograph_was_taught_by_its_own_id_or_as_its_lesion():
    found = training_ids.of(table(a="l1", b=None, c="l2"))
    asked = table(a="l9", b=None, d="l2", e="l3", f=None, l1=None, g="None")
    assert found.holds(asked).tolist() == [True, True, True, False, False, False, False]


def test_a_photograph_is_the_same_with_its_sets_name_before_it_and_without():
    alone, together = table(a=None), table(**{"clinic/a": None})
    assert training_ids.of(alone).holds(together).tolist() == [True]
    assert training_ids.of(together).holds(alone).tolist() == [True]
    assert not training_ids.of(together).holds(alone.assign(source="another clinic")).any()


def test_an_id_of_a_lesion_is_no_id_of_a_photograph():
    assert not training_ids.of(table(a="b")).holds(table(b="a")).any()


def test_going_on_from_a_model_adds_to_what_it_was_taught():
    both = training_ids.after(training_ids.of(table(a="l1")), training_ids.of(table(b="l2")))
    assert both.is_whole
    assert both.holds(table(a=None, b=None, c=None, d="l1")).tolist() == [True, True, False, True]


def test_going_on_from_a_model_without_a_list_leaves_it_not_known():
    found = training_ids.after(None, training_ids.of(table(b="l2")))
    assert not found.is_whole
    assert not training_ids.after(found, training_ids.of(table(c="l3"))).is_whole
    assert found.holds(table(b=None)).tolist() == [True]


def test_bytes_give_back_what_was_written():
    for found in (
        training_ids.of(table(a="l1", b=None)),
        training_ids.after(None, training_ids.of(table())),
    ):
        back = training_ids.from_bytes(training_ids.to_bytes(found))
        assert back.is_whole is found.is_whole
        assert np.array_equal(back.images, found.images)
        assert np.array_equal(back.lesions, found.lesions)


def test_no_photograph_is_written_by_its_name():
    assert b"ISIC_0000001" not in training_ids.to_bytes(
        training_ids.of(table(ISIC_0000001="HAM_1"))
    )


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"text"])
def test_other_bytes_are_refused(data):
    with pytest.raises(ModelError, match="what a model was taught cannot be read"):
        training_ids.from_bytes(data)
