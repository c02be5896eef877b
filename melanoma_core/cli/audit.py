"""`audit`: what is wrong with a data set."""

import json
import sys
from pathlib import Path

import click

from melanoma_core.errors import DatasetError


@click.command()
@click.argument("dataset_path", metavar="DATASET", type=click.Path(path_type=Path))
@click.option(
    "--reference",
    "reference_paths",
    multiple=True,
    metavar="DATASET",
    type=click.Path(path_type=Path),
    help="A set that knows some of the same image ids, such as HAM10000. Repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def audit(dataset_path: Path, reference_paths: tuple[Path, ...], as_json: bool) -> None:
    """Find copies, contradictions and leaks in a data set; exit code 2 when it was refused."""
    from melanoma_core.audit import audits, reports
    from melanoma_core.data import datasets

    try:
        dataset = datasets.read(dataset_path)
        references = [datasets.read(path) for path in reference_paths]
    except DatasetError as error:
        click.echo(str(error), err=True)
        if as_json:
            click.echo(json.dumps({"dataset": dataset_path.name, "error": str(error)}))
        sys.exit(2)
    num_photographs = len(dataset.table)
    with click.progressbar(length=num_photographs, label="Photographs", file=sys.stderr) as bar:
        found = audits.audit(dataset, references, lambda *_: bar.update(1))
    cleaned = audits.clean(dataset, found.findings)
    if as_json:
        click.echo(json.dumps(reports.record(found, *cleaned)))
        return
    for line in reports.lines(found, *cleaned):
        click.echo(line)
