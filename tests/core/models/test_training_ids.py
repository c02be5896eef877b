"""The training photographs of a model are known by checksums of their ids."""

import numpy as np
import pandas as pd
import pytest

from melanoma_core.errors import ModelError
from melanoma_core.models import training_ids
from tests.support.made_parents import NO_IDS


def table(**lesions):
    return pd.DataFrame(
        {"image_id": list(lesions), "source": "clinic", "lesion_id": list(lesions.values())}
    )


def test_a_photograph_is_known_by_its_own_id_or_by_its_lesion():
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


def test_union_holds_the_ids_of_a_training_and_of_its_parents():
    both = training_ids.union([training_ids.of(table(a="l1")), training_ids.of(table(b="l2"))])
    assert both.is_whole
    assert both.holds(table(a=None, b=None, c=None, d="l1")).tolist() == [True, True, False, True]


def test_union_with_a_list_that_has_gaps_has_gaps():
    found = training_ids.union([NO_IDS, training_ids.of(table(b="l2"))])
    assert not found.is_whole
    assert not training_ids.union([found, training_ids.of(table(c="l3"))]).is_whole
    assert found.holds(table(b=None)).tolist() == [True]


def test_union_is_sorted_and_holds_each_id_once():
    first, second = training_ids.of(table(a="l1", b="l2")), training_ids.of(table(b="l2", c="l3"))
    both = training_ids.union([first, second])
    np.testing.assert_array_equal(both.images, training_ids.of(table(a="", b="", c="")).images)
    assert both.lesions.size == 3
    assert (np.diff(both.images.astype(object)) > 0).all()


def test_bytes_give_back_what_was_written():
    for found in (
        training_ids.of(table(a="l1", b=None)),
        training_ids.union([NO_IDS, training_ids.of(table())]),
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
    with pytest.raises(ModelError, match="list of training ids cannot be read"):
        training_ids.from_bytes(data)
