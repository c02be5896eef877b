"""The shape of the code: directions of imports, what is never called, what an import loads."""

import ast
import doctest
import importlib
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
CORE = PROJECT / "melanoma_core"

# What each package of the core imports. The facts at its top import no package.
ARROWS = {
    "images": set(),
    "metrics": set(),
    "data": set(),
    "audit": {"data", "images", "metrics"},
    "models": {"data", "images", "metrics"},
    "evaluation": {"data", "images", "metrics", "models"},
    "networks": {"images", "metrics", "models"},
    "runs": {"audit", "data", "evaluation", "images", "models"},
    "training": {"data", "evaluation", "images", "metrics", "models", "networks", "runs"},
    "cli": {"audit", "data", "evaluation", "images", "metrics", "models", "runs", "training"},
}
FACTS = {"errors", "paths", "diagnoses", "__version__"}
KERAS_PACKAGES = {"networks", "training"}  # they may load TensorFlow; the web process never does
KERAS_FAMILY = {"tensorflow", "keras", "tf_keras", "tf_keras_vis", "jax"}

CORE_FILES = sorted(path for path in CORE.rglob("*.py") if path != CORE / "__init__.py")
UI_FILES = sorted((PROJECT / "ui").rglob("*.py"))
PAGE_FILES = sorted((PROJECT / "pages").rglob("*.py"))
APP_FILES = [path for path in [PROJECT / "app.py"] if path.exists()]
ALL_FILES = [CORE / "__init__.py", *CORE_FILES, *UI_FILES, *PAGE_FILES, *APP_FILES]


def package_of(path: Path) -> str:
    """`metrics` for melanoma_core/metrics/calibration.py; "" for a module at the top."""
    parts = path.relative_to(CORE).parts
    return parts[0] if len(parts) > 1 else ""


def dotted(path: Path) -> str:
    """`melanoma_core.metrics.calibration` for melanoma_core/metrics/calibration.py."""
    parts = path.relative_to(PROJECT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def each(files):
    return pytest.mark.parametrize(
        "path", [pytest.param(path, id=str(path.relative_to(PROJECT))) for path in files]
    )


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports_of(tree: ast.AST) -> set[str]:
    """Dotted names of all that is imported anywhere in the file, inside functions too."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def top_levels(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def core_parts(names: set[str]) -> set[str]:
    """Packages and top modules of the core among imported names."""
    return {name.split(".")[1] for name in names if name.startswith("melanoma_core.")}


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


def test_the_packages_are_those_of_the_table():
    packages = {path.parent.name for path in CORE.glob("*/__init__.py")}
    assert packages == ARROWS.keys()
    assert {path.stem for path in CORE.glob("*.py")} == (FACTS | {"__init__", "__main__"}) - {
        "__version__"
    }


def test_the_packages_import_as_the_table_says():
    used = {package: set() for package in ARROWS}
    for path in CORE_FILES:
        if package_of(path):
            parts = core_parts(imports_of(tree_of(path)))
            used[package_of(path)] |= parts - FACTS - {package_of(path)}
    assert used == ARROWS


def test_no_package_imports_one_that_imports_it():
    assert list(TopologicalSorter(ARROWS).static_order())  # a CycleError names the circle


@each([CORE / f"{name}.py" for name in sorted(FACTS - {"__version__"})])
def test_the_facts_at_the_top_import_no_package(path):
    assert core_parts(imports_of(tree_of(path))) <= FACTS


def test_the_entry_point_imports_the_command_line_alone():
    assert core_parts(imports_of(tree_of(CORE / "__main__.py"))) == {"cli"}


def test_no_module_imports_one_that_imports_it():
    modules = {dotted(path) for path in CORE_FILES}
    graph = {dotted(path): imports_of(tree_of(path)) & modules for path in CORE_FILES}
    assert list(TopologicalSorter(graph).static_order())


@each([CORE / "__init__.py", *CORE_FILES])
def test_the_core_knows_no_streamlit_and_nothing_above_it(path):
    assert not top_levels(imports_of(tree_of(path))) & {"streamlit", "ui", "pages", "app"}


@each(ALL_FILES)
def test_only_the_keras_packages_import_tensorflow_or_keras(path):
    if path in CORE_FILES and package_of(path) in KERAS_PACKAGES:
        return
    assert not top_levels(imports_of(tree_of(path))) & KERAS_FAMILY


@each([*UI_FILES, *PAGE_FILES, *APP_FILES])
def test_pages_import_neither_networks_nor_training(path):
    assert not core_parts(imports_of(tree_of(path))) & KERAS_PACKAGES


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


def test_importing_the_packages_below_keras_loads_no_tensorflow_and_prints_nothing():
    low = [dotted(path) for path in CORE_FILES if package_of(path) not in KERAS_PACKAGES]
    loaded, printed = loaded_by(low)
    assert "melanoma_core" in loaded
    assert not loaded & (KERAS_FAMILY | {"streamlit"})
    assert printed == ""


def test_importing_the_ui_loads_no_tensorflow():
    loaded, _ = loaded_by([dotted(path) for path in UI_FILES])
    assert not loaded & KERAS_FAMILY


@each([path for path in CORE_FILES if package_of(path) not in KERAS_PACKAGES])
def test_the_examples_in_docstrings_are_true(path):
    module = importlib.import_module(dotted(path))
    assert doctest.testmod(module).failed == 0


# The checks above must be able to fail, so here they meet code that breaks the rules.


@pytest.mark.parametrize(
    "source",
    [
        "from melanoma_core import training",
        "from melanoma_core.training import train",
        "from melanoma_core.training.train import fit",
        "import melanoma_core.training.train as t",
        "def later():\n    from melanoma_core.training import train",
    ],
)
def test_every_way_to_import_a_package_is_seen(source):
    assert core_parts(imports_of(ast.parse(source))) == {"training"}


@each(ALL_FILES)
def test_imports_are_absolute(path):
    nodes = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.ImportFrom)]
    assert not any(node.level for node in nodes)


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
