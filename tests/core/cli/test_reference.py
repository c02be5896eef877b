"""docs/command-line.md says what the commands themselves say."""

import click
from click.testing import CliRunner

from melanoma_core import paths
from melanoma_core.cli import reference
from melanoma_core.cli.main import main

DOCUMENT = paths.PROJECT_DIR / "docs" / "command-line.md"


def test_the_reference_is_up_to_date():
    """`python -m melanoma_core.cli.reference --output docs/command-line.md` makes it again."""
    assert DOCUMENT.read_text(encoding="utf-8") == reference.document()


def test_every_command_and_option_is_described():
    for name, command in main.commands.items():
        assert command.help, name
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.help, f"{name} {option.opts[0]}"


def test_the_file_that_is_named_is_written(tmp_path):
    path = tmp_path / "reference.md"
    assert CliRunner().invoke(reference.write, ["--output", str(path)]).exit_code == 0
    text = path.read_text(encoding="utf-8")
    assert "\n## train-head\n" in text
    assert "| `--epochs INTEGER` | Passes over the training photographs. Default: `12`. |" in text
    assert "One of `given`, `drawn`, `model`. Default: `model`." in text
