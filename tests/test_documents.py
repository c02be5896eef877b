"""README, changelog and docs: they fit, agree with the code, and link to what exists."""

import re
import shlex
from pathlib import Path

import click
import pytest

from melanoma_core import __version__
from melanoma_core.cli.main import main
from melanoma_core.paths import PROJECT_DIR as PROJECT

PICTURES = sorted((PROJECT / "docs" / "pictures").glob("*.png"))
DOCUMENTS = [
    PROJECT / "README.md", PROJECT / "CHANGELOG.md", PROJECT / "benchmarks" / "README.md",
    *sorted((PROJECT / "docs").glob("*.md")),
]  # fmt: skip
# What a reader of a document has; not what a machine of ours has.
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:home|root|work|tmp|usr|mnt|Users)/")


def each(paths):
    return pytest.mark.parametrize(
        "path", [pytest.param(path, id=str(path.relative_to(PROJECT))) for path in paths]
    )


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def without_code(text: str) -> str:
    """The text without blocks and spans of code, whose brackets are no links."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.M))


def links_of(text: str) -> list[str]:
    """Targets of Markdown links and of pictures in HTML."""
    marked = re.findall(r"\]\(([^)\s]+)\)", text)
    return marked + re.findall(r'\b(?:src|srcset|href)="([^"]+)"', text)


def anchors_of(text: str) -> set[str]:
    """Anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+?) *$", text, flags=re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(path: Path, text: str) -> list[str]:
    """Relative links of a document whose file or heading is not there."""
    broken = []
    for link in links_of(without_code(text)):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        is_there = target.exists() and target.is_relative_to(PROJECT)
        if not is_there or (anchor and anchor not in anchors_of(read(target))):
            broken.append(link)
    return broken


def test_the_readme_is_short():
    assert len(read(PROJECT / "README.md").splitlines()) <= 150


@each(DOCUMENTS)
def test_relative_links_lead_to_files_and_headings_of_the_project(path):
    assert broken_links(path, read(path)) == []


def test_every_kind_of_broken_link_is_seen():
    text = (
        'a [b](docs/none.md) [c](README.md#none) <img src="none.png"> [d](../outside.md) '
        "[e](#none) `[f](code.md)` [g](https://example.org/none) [h](README.md#start)"
    )
    expected = ["docs/none.md", "README.md#none", "../outside.md", "#none", "none.png"]
    assert broken_links(PROJECT / "README.md", text) == expected


@each(DOCUMENTS)
def test_no_document_names_a_path_of_a_machine(path):
    assert MACHINE_PATH.findall(read(path)) == []


@each([path for path in DOCUMENTS if path.parent.name == "docs"])
def test_the_readme_links_to_every_document(path):
    assert f"docs/{path.name}" in links_of(read(PROJECT / "README.md"))


@each(PICTURES)
def test_every_picture_is_small_and_shown_somewhere(path):
    """`python -m docs.pictures` makes them."""
    assert path.stat().st_size < 300_000
    shown = {Path(link).name for document in DOCUMENTS for link in links_of(read(document))}
    assert path.name in shown


def test_the_pictures_are_those_that_the_command_makes():
    pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.")
    from docs.pictures import __main__ as pictures

    assert [path.stem for path in PICTURES] == sorted(shot.name for shot in pictures.SHOTS)


def test_the_newest_release_of_the_changelog_is_the_version_of_the_package():
    text = read(PROJECT / "CHANGELOG.md")
    releases = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d{2}-\d{2}$", text, flags=re.M)
    assert releases[0] == __version__


def test_the_table_of_environment_variables_is_complete():
    """docs/deployment.md names all that the app and the core read, and no others."""
    sources = [*(PROJECT / "melanoma_core").rglob("*.py"), *(PROJECT / "ui").rglob("*.py")]
    read_by_code = {
        name for source in sources for name in re.findall(r'"(MELANOMA_[A-Z_]+)"', read(source))
    }
    table = re.findall(r"^\| `(MELANOMA_[A-Z_]+)` \|", read(PROJECT / "docs/deployment.md"), re.M)
    assert sorted(table) == sorted(read_by_code)


def modules_of(text: str) -> set[str]:
    """Modules of the project that a document says to run."""
    return set(re.findall(r"python -m ((?:benchmarks|docs|melanoma_core)[\w.]*\w)", text))


@each(DOCUMENTS)
def test_commands_in_documents_name_modules_that_exist(path):
    for module in modules_of(read(path)):
        place = PROJECT / module.replace(".", "/")
        assert place.with_suffix(".py").exists() or (place / "__main__.py").exists(), module


def command_lines(text: str) -> list[list[str]]:
    """Calls of our command line in blocks of code, split as a shell does; comments left out."""
    blocks = "\n".join(re.findall(r"^```\w*\n(.*?)^```$", text, flags=re.DOTALL | re.M))
    calls = re.findall(r"^(?:\S*python -m melanoma_core|melanoma|\$M) (.+)$", blocks, flags=re.M)
    return [shlex.split(call, comments=True) for call in calls]


def understand(call: list[str]) -> None:
    """Parse a call without running it; files that it names need not exist."""
    name, *arguments = call
    command = main.commands[name]
    command.make_parser(click.Context(command)).parse_args(arguments)


@each([path for path in DOCUMENTS if path.name != "command-line.md"])
def test_calls_of_the_command_line_in_documents_are_understood(path):
    for call in command_lines(read(path)):
        understand(call)


@pytest.mark.parametrize(
    "line", ["melanoma teach", "$M train --joined", ".venv/bin/python -m melanoma_core x"]
)
def test_a_call_that_is_not_understood_is_seen(line):
    (call,) = command_lines(f"```\n{line}\n```\n")
    with pytest.raises((KeyError, click.UsageError)):
        understand(call)


@pytest.mark.parametrize("name", ["training.md", "deployment.md", "shipped-model.md"])
def test_options_in_running_text_exist(name):
    ours = {
        option for command in main.commands.values() for p in command.params for option in p.opts
    }
    streamlits = {"--server.address", "--server.port"}
    used = set(re.findall(r"(?<![\w-])--[a-z][a-z.-]*[a-z]", read(PROJECT / "docs" / name)))
    assert used - ours - streamlits == set()
