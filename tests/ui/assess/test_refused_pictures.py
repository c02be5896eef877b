"""Pictures of no lesion, put before the shipped model: refused, and no number is said of them."""

import pytest
import sklearn.datasets

from melanoma_core.images import non_lesions, reading
from melanoma_core.paths import PROJECT_DIR
from tests.support.made_pages import button, open_app, text, upload

SEED = 900  # drawn with other seeds than in fitting
REFUSED = "This does not look like a dermoscopic photograph of a skin lesion."


@pytest.fixture(scope="module")
def page():
    """The page Assess with the model of the repository, for all tests here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MELANOMA_MODELS", str(PROJECT_DIR / "models"))
        yield open_app()


def assert_refused(app, image, name):
    upload(app, reading.png(image), f"{name}.png", "image/png")
    assert not app.exception
    page = text(app)
    assert REFUSED in page
    assert "%" not in page
    assert not app.header
    assert not app.get("plotly_chart")
    assert not app.get("imgs")
    assert not [b for b in app.button if "anyway" in b.label.lower()]


@pytest.mark.parametrize("kind", non_lesions.KINDS)
def test_a_drawn_picture_of_no_lesion_is_refused_without_a_number(page, kind):
    assert_refused(page, non_lesions.made_up(SEED, kind, 256), kind)


@pytest.mark.parametrize("name", ["china", "flower"])
def test_a_photograph_of_something_else_is_refused_without_a_number(page, name):
    """The detector was fitted on these two, so they test the page, not unseen photographs."""
    assert_refused(page, sklearn.datasets.load_sample_image(f"{name}.jpg"), name)


def test_after_a_refusal_an_example_is_assessed(page):
    assert_refused(page, non_lesions.made_up(SEED, non_lesions.KINDS[0], 256), "picture")
    button(page, "Try an example lesion").click().run()
    assert page.header
    assert REFUSED not in text(page)
    button(page, "New lesion").click().run()
