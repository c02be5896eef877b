"""The shape of the code: floors, directions, what is never called, and what an import loads.

`FLOORS` is the table: a module imports from lower floors only, and one that is not in the table
fails the test.
"""

import ast
import doctest
import importlib
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
CORE = PROJECT / "melanoma_core"

FLOORS = {
    "errors": -1,  # the ground: every floor raises them
    **dict.fromkeys(("diagnoses", "configs", "paths", "percentages", "memory", "markdown"), 0),
    **dict.fromkeys(("image_ids", "efficientnet_lites", "colours"), 0),
    "image_formats": 0.5,  # the checks of single formats, apart from the door `reading`
    **dict.fromkeys(("imaging", "metrics", "calibration", "drawings", "consequences"), 1),
    **dict.fromkeys(("archives", "csv_tables", "differentials", "taught", "head_files"), 1),
    **dict.fromkeys(("server_folders", "image_sizes", "journal"), 1),
    "resamples": 1.1,  # what `classification` draws, at once
    "interval_widths": 1.1,
    # The steps from a folder to a table; `datasets` is the door that the others use.
    "file_trees": 1.2,
    **dict.fromkeys(("class_folders", "published_sets"), 1.4),
    "soft_targets": 1.2,
    "fingerprints": 1.9,
    "findings": 2.5,  # what an audit is made of; `audits` is the door
    "overlaps": 2.6,
    **dict.fromkeys(("copy_findings", "split_findings", "label_findings"), 2.7),
    **dict.fromkeys(("datasets", "augmentations", "outlines", "duplicates"), 2),
    **dict.fromkeys(("splits", "balance", "boundaries", "embedded", "audits"), 3),
    "catalogues": 3.5,
    "audit_reports": 3.5,
    "clean_tables": 3.5,
    **dict.fromkeys(("registry", "runs"), 4),
    "run_locks": 4.1,
    "run_states": 4.2,
    "run_processes": 4.3,
    **dict.fromkeys(("wordings", "lessons"), 4.2),
    "predict": 5,
    "embeddings": 5.5,
    **dict.fromkeys(("saliency", "evaluate"), 6),
    "common_tests": 6.4,
    "comparisons": 6.6,
    "lineages": 6.2,
    "heads": 6.2,
    **dict.fromkeys(("training_tables", "training_runs"), 6.4),
    **dict.fromkeys(("promotion", "breakdowns", "attribution_jobs", "embedding_maps"), 7),
    "model_card_figures": 7.4,
    "model_cards": 7.5,
    "training_checks": 6.6,
    "training_times": 5.6,
    "candidates": 7.6,
    "quick_train": 7.8,
    **dict.fromkeys(("networks", "input_pipeline", "checkpoints"), 8),
    **dict.fromkeys(("fitting", "attributions"), 9),
    "exports": 9,
    **dict.fromkeys(("train", "joining", "recalibration"), 11),
    "__main__": 12,
}
KERAS_FLOOR = 8  # from here up TensorFlow may be loaded; the web process stays below
KERAS_FAMILY = {"tensorflow", "keras", "tf_keras", "tf_keras_vis", "jax"}

CORE_FILES = sorted(path for path in CORE.rglob("*.py") if path != CORE / "__init__.py")
UI_FILES = sorted((PROJECT / "ui").rglob("*.py"))
PAGE_FILES = sorted((PROJECT / "pages").rglob("*.py"))
APP_FILES = [path for path in [PROJECT / "app.py"] if path.exists()]
ALL_FILES = [CORE / "__init__.py", *CORE_FILES, *UI_FILES, *PAGE_FILES, *APP_FILES]


def name_of(path: Path) -> str:
    """`classification` for melanoma_core/metrics/classification.py, `deep.part` for melanoma_core/deep/part.py."""
    return ".".join(path.relative_to(CORE).with_suffix("").parts)


def each(files):
    return pytest.mark.parametrize(
        "path", [pytest.param(path, id=str(path.relative_to(PROJECT))) for path in files]
    )


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports_of(tree: ast.AST, package: str = "") -> set[str]:
    """Dotted names of all that is imported anywhere in the file, inside functions too."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = ".".join(part for part in (package * bool(node.level), node.module) if part)
            names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return names


def top_levels(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def core_modules(names: set[str]) -> set[str]:
    """Modules of the core among imported names; `melanoma_core.metrics.classification.ece` is `classification`."""
    modules = set()
    for name in names:
        parts = name.split(".")
        if parts[0] == "melanoma_core" and len(parts) > 1:
            modules.add(parts[1])
    return modules


def calls_at_import(tree: ast.Module) -> Iterator[ast.Call]:
    """Calls that run when the file is imported: not those inside functions."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting.extend(getattr(node, "decorator_list", []))
            continue
        if isinstance(node, ast.If) and "__name__" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Call):
            yield node
        waiting.extend(ast.iter_child_nodes(node))


def called_name(call: ast.Call) -> str:
    """The last part of what is called: `load` for `np.load(…)`."""
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def runs_code(tree: ast.AST) -> list[str]:
    """What could run code that came in with a file or a text (promise 13)."""
    forbidden_modules = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib"}
    forbidden_modules |= {"marshal", "shelve", "importlib", "runpy"}
    forbidden_names = {"load_model", "read_pickle", "model_from_json", "unsafe_load", "__import__"}
    found = []
    imported = imports_of(tree)
    found += sorted(top_levels(imported) & forbidden_modules)
    found += sorted({name.split(".")[-1] for name in imported} & forbidden_names)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            name = node.id if isinstance(node, ast.Name) else node.attr
            if name in forbidden_names or name in forbidden_modules:
                found.append(name)
            # `network.compile()` and `re.compile()` are other things; the bare names are not.
            if isinstance(node, ast.Name) and name in {"eval", "exec", "compile"}:
                found.append(name)
        if isinstance(node, ast.keyword) and node.arg in {"allow_pickle", "safe_mode"}:
            is_off = isinstance(node.value, ast.Constant) and node.value.value is False
            if not (is_off and node.arg == "allow_pickle"):
                found.append(node.arg)
    return found


def test_there_is_something_to_check():
    assert {"errors", "metrics"} <= {name_of(path) for path in CORE_FILES}


def test_every_module_has_a_floor():
    unknown = [name_of(path) for path in CORE_FILES if name_of(path) not in FLOORS]
    assert not unknown, f"Give these modules a floor in FLOORS: {unknown}"


@each(CORE_FILES)
def test_a_module_imports_from_lower_floors_only(path):
    own_floor = FLOORS[name_of(path)]
    used = core_modules(imports_of(tree_of(path), "melanoma_core"))
    assert used <= FLOORS.keys()
    too_high = {name: FLOORS[name] for name in used if FLOORS[name] >= own_floor}
    assert not too_high, f"{name_of(path)} is on floor {own_floor}"


@each([CORE / "__init__.py", *CORE_FILES])
def test_the_core_knows_no_streamlit_and_nothing_above_it(path):
    assert not top_levels(imports_of(tree_of(path))) & {"streamlit", "ui", "pages", "app"}


@each(ALL_FILES)
def test_only_the_keras_floors_import_tensorflow_or_keras(path):
    in_core = path in CORE_FILES
    if in_core and KERAS_FLOOR <= FLOORS[name_of(path)] < FLOORS["__main__"]:
        return
    used = imports_of(tree_of(path), "melanoma_core" if in_core else "")
    assert not top_levels(used) & KERAS_FAMILY
    if not in_core:
        # A page that imported `train` would load TensorFlow into the web process.
        assert not {name for name in core_modules(used) if FLOORS[name] >= KERAS_FLOOR}


@each(UI_FILES)
def test_the_ui_imports_neither_pages_nor_the_app(path):
    assert not top_levels(imports_of(tree_of(path))) & {"pages", "app"}


@each(PAGE_FILES)
def test_a_page_imports_no_other_page_and_sets_no_page_config(path):
    tree = tree_of(path)
    assert not top_levels(imports_of(tree)) & {"pages", "app"}
    assert "set_page_config" not in {
        called_name(node) for node in ast.walk(tree) if isinstance(node, ast.Call)
    }


@each([*UI_FILES, *PAGE_FILES, *APP_FILES])
def test_screens_hold_no_html(path):
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.keyword):
            assert node.arg != "unsafe_allow_html"
        if isinstance(node, ast.Attribute):
            assert ast.unparse(node) not in {"st.html", "st.components"}


@each(ALL_FILES)
def test_nothing_that_comes_in_is_run_as_code(path):
    assert runs_code(tree_of(path)) == []


@each([CORE / "__init__.py", *CORE_FILES, *UI_FILES])
def test_nothing_happens_at_import(path):
    forbidden = {"print", "mkdir", "makedirs", "seed", "set_random_seed", "urlopen", "urlretrieve"}
    forbidden |= {"simplefilter", "filterwarnings", "basicConfig"}
    assert not {called_name(call) for call in calls_at_import(tree_of(path))} & forbidden


def loaded_by(modules: list[str]) -> tuple[set[str], str]:
    """What a fresh process has loaded after importing these, and what it printed."""
    code = (
        f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\n"
        "print('LOADED', *sorted({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    printed, _, loaded = done.stdout.rpartition("LOADED")
    return set(loaded.split()), printed + done.stderr


def test_importing_the_floors_below_keras_loads_no_tensorflow_and_prints_nothing():
    low = [name_of(path) for path in CORE_FILES if FLOORS[name_of(path)] < KERAS_FLOOR]
    loaded, printed = loaded_by([f"melanoma_core.{name}" for name in low])
    assert "melanoma_core" in loaded
    assert not loaded & (KERAS_FAMILY | {"streamlit"})
    assert printed == ""


def test_the_command_line_starts_without_tensorflow():
    loaded, printed = loaded_by(["melanoma_core.__main__"])
    assert not loaded & (KERAS_FAMILY | {"streamlit"})
    assert printed == ""


def test_importing_the_ui_loads_no_tensorflow():
    names = ["ui" if path.stem == "__init__" else f"ui.{path.stem}" for path in UI_FILES]
    loaded, _ = loaded_by(names)
    assert not loaded & KERAS_FAMILY


@each([path for path in CORE_FILES if FLOORS.get(name_of(path), KERAS_FLOOR) < KERAS_FLOOR])
def test_the_examples_in_docstrings_are_true(path):
    module = importlib.import_module(f"melanoma_core.{name_of(path)}")
    assert doctest.testmod(module).failed == 0


# The checks above must be able to fail, so here they meet code that breaks the rules.


@pytest.mark.parametrize(
    "source",
    [
        "from melanoma_core import train",
        "from melanoma_core.training.train import fit",
        "import melanoma_core.training.train as t",
        "from . import train",
        "from .train import fit",
        "def later():\n    from melanoma_core import train",
    ],
)
def test_every_way_to_import_a_module_is_seen(source):
    assert "train" in core_modules(imports_of(ast.parse(source), "melanoma_core"))


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import numpy as np\nnp.load(file, allow_pickle=True)",
        "np.load(file, allow_pickle=anything)",
        "keras.models.load_model(path)",
        "from keras.models import load_model",
        "keras.saving.load_model(path, safe_mode=False)",
        "pd.read_pickle(path)",
        "eval(text)",
        "run = exec",
        "compile(text, '', 'exec')",
        "__import__(name)",
        "importlib.import_module(name)",
    ],
)
def test_every_way_to_run_foreign_code_is_seen(source):
    assert runs_code(ast.parse(source))


def test_what_only_looks_like_running_foreign_code_is_let_through():
    source = """
        import re
        re.compile("a")
        network.compile(loss)
        np.load(file, allow_pickle=False)
        network.load_weights(path)
    """
    assert runs_code(ast.parse(textwrap.dedent(source))) == []


def test_only_calls_that_run_at_import_are_seen():
    source = """
        TABLE = make_table()
        if quiet:
            print("hello")
        class A:
            folder.mkdir()
        def later():
            seed(0)
        if __name__ == "__main__":
            main()
    """
    seen = {called_name(call) for call in calls_at_import(ast.parse(textwrap.dedent(source)))}
    assert seen == {"make_table", "print", "mkdir"}
