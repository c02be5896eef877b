"""Every package is pinned, and the six that the project stands on are there."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
PINNED = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>\d+(\.\d+)*([a-z]+\d+)?)(\s*;\s*(?P<marker>.+))?"
)


def lines_of(name: str) -> list[str]:
    """The requirements of a file, without comments and without the files that it names."""
    text = (PROJECT / name).read_text(encoding="utf-8")
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("-r ")]


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_is_pinned_to_one_version(file):
    lines = lines_of(file)
    assert lines
    assert [line for line in lines if not PINNED.fullmatch(line)] == []


@pytest.mark.parametrize("line", ["numpy", "numpy>=2", "numpy==2.*", "numpy~=2.4", "numpy<3,==2"])
def test_a_loose_requirement_is_seen(line):
    assert not PINNED.fullmatch(line)


def test_the_six_packages_that_the_project_stands_on_are_required():
    names = {
        match["name"] for match in map(PINNED.fullmatch, lines_of("requirements.txt")) if match
    }
    wanted = {"streamlit", "tensorflow", "tensorflow-cpu", "pillow", "numpy", "plotly"}
    assert wanted | {"tf-keras-vis"} <= names


def test_exactly_one_tensorflow_is_chosen_on_any_machine():
    tensorflows = [
        match
        for match in map(PINNED.fullmatch, lines_of("requirements.txt"))
        if match and match["name"].startswith("tensorflow")
    ]
    assert len({match["version"] for match in tensorflows}) == 1
    for system in ("linux", "darwin", "win32"):
        for machine in ("x86_64", "aarch64", "arm64", "AMD64"):
            values = {"sys_platform": system, "platform_machine": machine}
            chosen = [m["name"] for m in tensorflows if holds(m["marker"], values)]
            on_intel_linux = (system, machine) == ("linux", "x86_64")
            assert chosen == ["tensorflow-cpu" if on_intel_linux else "tensorflow"]


def holds(marker: str, values: dict[str, str]) -> bool:
    """Whether a marker of `name == "text"` and `!=`, joined by all `and` or all `or`, is true."""
    joint = " or " if " or " in marker else " and "
    parts = []
    for part in marker.split(joint):
        name, sign, text = re.fullmatch(r'(\w+) (==|!=) "(\w+)"', part.strip()).groups()
        parts.append((values[name] == text) == (sign == "=="))
    return any(parts) if joint == " or " else all(parts)
