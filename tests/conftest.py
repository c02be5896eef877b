"""What every test file may ask for."""

import copy
import gc
import itertools
import os
import shutil
import sys
from pathlib import Path

import pytest

# Before any test imports TensorFlow: its greeting on stderr would bury a failure's own lines.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

PROJECT = Path(__file__).resolve().parents[1]
_MAIN = sys.modules["__main__"]


def pytest_collection_modifyitems(items):
    """Files that drive a browser or train come first, so that none of them is left for the end."""
    slow = {
        item.path
        for item in items
        if {"browser", "trained_models"} & set(item.fixturenames) or hasattr(item.module, "keras")
    }
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish():
    """Keep what has been imported by now out of every search for garbage.

    Once TensorFlow is loaded, Streamlit has Keras make a search after each run of a page: 0.2 s.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _places(tmp_path_factory):
    """A folder that is not there yet for each test; pytest's own would be sought among all.

    What is made for many tests has one, too: of trainings in the checkout only one may run.
    """
    folder = tmp_path_factory.mktemp("places")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MELANOMA_DATASETS", str(folder / "datasets"))
        patched.setenv("MELANOMA_RUNS", str(folder / "runs"))
        yield (folder / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def _places_of_their_own(_places, monkeypatch):
    """Unpacked data sets and runs of a test go to a temporary folder, never into the checkout."""
    place = next(_places)
    monkeypatch.setenv("MELANOMA_DATASETS", str(place / "datasets"))
    monkeypatch.setenv("MELANOMA_RUNS", str(place / "runs"))


@pytest.fixture(autouse=True)
def _main_module():
    """Streamlit's AppTest leaves its page as `__main__`; a process spawned then could not start."""
    sys.modules["__main__"] = _MAIN


@pytest.fixture(scope="session", autouse=True)
def _charts_are_held_against_the_schema():
    """A chart with a key that Plotly does not know fails, in a page as anywhere else."""
    import plotly.graph_objects as go

    from ui.plots import Chart

    send = Chart.to_dict

    def check_and_send(chart):
        go.Figure(copy.deepcopy(send(chart)))
        return send(chart)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Chart, "to_dict", check_and_send)
        yield


@pytest.fixture
def empty_models(tmp_path, monkeypatch):
    """The app without a model: the folder that `MELANOMA_MODELS` now names, empty."""
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("MELANOMA_MODELS", str(folder))
    return folder


@pytest.fixture(scope="session")
def chromium():
    """Path of the browser that the browser tests drive; without one they are skipped."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    pytest.skip("No Chromium on this machine; install Debian's package `chromium`.")


@pytest.fixture(scope="session")
def browser(chromium):
    """The browser itself; a test file that asks for it skips itself where Playwright is absent."""
    from playwright.sync_api import expect, sync_playwright

    from tests.support import made_browser

    expect.set_options(timeout=1000 * made_browser.SECONDS)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=chromium, args=list(made_browser.CHROMIUM_ARGS)
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(chromium, trained_models, tmp_path_factory):
    """The app with the tiny model in use, in a process of its own; its models are only read."""
    from tests.support import made_browser

    with made_browser.serve(trained_models, tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="session")
def server_without_models(chromium, tmp_path_factory):
    """The app without a model, in a process of its own."""
    from tests.support import made_browser

    models_dir = tmp_path_factory.mktemp("models")
    with made_browser.serve(models_dir, tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="session")
def research_data():
    """Folder with the research archives, beside the checkout; tests that need it are skipped."""
    folder = PROJECT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("The research archives are not at ../shared/data.")
    return folder


@pytest.fixture(scope="session")
def trained_models(tmp_path_factory):
    """A models folder with one tiny model, trained the real way and in use; only to be read."""
    from melanoma_core.evaluation import promotion
    from tests.support import made_models

    work_dir = tmp_path_factory.mktemp("training")
    card = made_models.make(work_dir, work_dir / "models")
    promotion.promote(work_dir / "models", card.model_id, author="Ada", reason="The first model")
    return work_dir / "models"


@pytest.fixture
def models_in_use(trained_models, tmp_path, monkeypatch):
    """A copy of the folder with the tiny model, for the test to change; `MELANOMA_MODELS`."""
    folder = tmp_path / "models"
    shutil.copytree(trained_models, folder)
    monkeypatch.setenv("MELANOMA_MODELS", str(folder))
    return folder


@pytest.fixture
def champion_in_use(models_in_use):
    """A folder where "champion", which finds 36 of 40 made-up melanomas, is in use."""
    from melanoma_core.models import store
    from tests.support import made_candidates

    made_candidates.add(models_in_use, "champion", made_candidates.measured(36))
    # As where models were promoted before there was a journal.
    for path in (models_in_use / "champion.json", *models_in_use.glob("journal.*")):
        path.unlink()
    for model_id in ("tiny-1", "champion"):
        store.set_champion(models_in_use, model_id)
    return models_in_use
