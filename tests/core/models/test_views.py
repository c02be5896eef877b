"""The eight views of a photograph."""

import numpy as np
import pytest

from melanoma_core.models import views
from melanoma_core.models.predict import GraphOutput, Network
from tests.support.stub_models import StubGraph

SQUARE = np.arange(32 * 32 * 3, dtype=np.uint32).reshape(32, 32, 3).astype(np.uint8)


class CornerGraph(StubGraph):
    """Its embedding is the red value of the upper left corner."""

    def run(self, image):
        return GraphOutput(None, image[0, 0, :1].astype(np.float32))


def test_the_views_are_the_eight_symmetries_of_a_square_the_photograph_itself_first():
    found = views.flips_and_turns(np.array([[1, 2], [3, 4]], np.uint8)[..., None].repeat(3, axis=2))
    assert len(found) == views.NUM_VIEWS
    assert [view[..., 0].ravel().tolist() for view in found] == [
        [1, 2, 3, 4], [2, 4, 1, 3], [4, 3, 2, 1], [3, 1, 4, 2],
        [2, 1, 4, 3], [1, 3, 2, 4], [3, 4, 1, 2], [4, 2, 3, 1],
    ]  # fmt: skip
    assert all(view.flags.c_contiguous for view in found)


def test_view_logits_are_those_of_each_view():
    network = Network(CornerGraph(), np.array([[1.0, -1.0]], np.float32), np.zeros(2, np.float32))
    corners = [view[0, 0, 0] for view in views.flips_and_turns(SQUARE)]
    expected = [[corner, -float(corner)] for corner in corners]
    np.testing.assert_array_equal(views.view_logits(network, SQUARE), expected)


@pytest.mark.parametrize(
    ("verdicts", "num", "unsteady"),
    [("bbbbbbbb", 0, False), ("bbbabbbb", 1, False), ("abbaaaaa", 2, True), ("abbbbbbc", 7, True)],
)
def test_a_verdict_that_changes_in_two_views_is_unsteady(verdicts, num, unsteady):
    assert views.num_changed(verdicts) == num
    assert views.is_unsteady(verdicts) is unsteady
