"""`journal`: who trained, promoted and rolled back what, and when."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import click

from melanoma_core import paths
from melanoma_core.errors import ModelError


@click.command()
@click.option(
    "--verify",
    is_flag=True,
    help="Look for changed rows and write nothing; exit code 2 if there are any.",
)
@click.option(
    "--expected-hash",
    metavar="SHA256",
    help="With --verify: the hash of an earlier check; detects a journal that was rewritten whole.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def journal(verify: bool, expected_hash: str | None, as_json: bool) -> None:
    """List who trained, promoted and rolled back what, and when; oldest first."""
    from melanoma_core.evaluation import promotion
    from melanoma_core.models import journal as rows

    models_dir = paths.models_dir()
    check = rows.verify(models_dir, expected_hash)  # before anything is written behind a gap
    if verify or expected_hash:
        _print_check(_with_lost_rows(check, models_dir), as_json)
        return
    for problem in check.problems:
        click.echo(problem, err=True)
    if not check.problems:
        promotion.settle(models_dir)  # what a killed process could not write down
    for row in rows.rows(models_dir):
        click.echo(json.dumps(rows.record(row)) if as_json else _row_text(row))


def _with_lost_rows(check: Any, models_dir: Path) -> Any:
    """The check of the journal, with what champion.json says against it."""
    from melanoma_core.evaluation import promotion

    try:
        problems = promotion.lost_rows(models_dir)
        newest = promotion.unwritten(models_dir)
    except ModelError as error:  # what the journal itself says is told all the same
        problems, newest = (str(error),), None
    if newest is not None:
        click.echo(
            f"“{newest.model_id}” was {newest.kind} at {newest.since}, which has no row yet: its "
            "process was killed before it wrote one, or the row was deleted. The next change, or "
            "this command without --verify, adds it.",
            err=True,
        )
    return dataclasses.replace(check, problems=(*check.problems, *problems))


def _print_check(check: Any, as_json: bool) -> None:
    """What was found; exit code 2 where there are problems."""
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(check)))
    else:
        for problem in check.problems:
            click.echo(problem)
        if not check.problems:
            click.echo(
                f"{check.num_rows} rows, none changed. Keep this hash elsewhere, to detect even a "
                f"journal that was rewritten whole: {check.sha256}"
            )
    if check.problems:
        sys.exit(2)


def _row_text(row: Any) -> str:
    event = row.event
    parts = [event.when, event.kind, event.model_id or event.run_id, f"by {event.who}"]
    return "  ".join(filter(None, (*parts, event.reason)))
