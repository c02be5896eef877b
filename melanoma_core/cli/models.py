"""`models`, `card`, `promote`, `rollback`, `upgrade`: the models and which of them answers."""

import json
from pathlib import Path

import click

from melanoma_core import paths
from melanoma_core.cli import output
from melanoma_core.errors import ModelError

_author = click.option(
    "--author", metavar="NAME", help="Your name, for the journal; your user name by default."
)
_reason = click.option("--reason", required=True, help="Why, for the journal.")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def models(as_json: bool) -> None:
    """List the models, newest first; the champion is marked."""
    from melanoma_core.models import store

    champion = store.champion(paths.models_dir())
    cards, problems = store.list_cards(paths.models_dir())
    for problem in problems:
        click.echo(problem, err=True)
    if not cards and not problems:
        click.echo("There are no models yet. Train one: python -m melanoma_core train", err=True)
    for card in cards:
        is_champion = champion is not None and champion.model_id == card.model_id
        if as_json:
            record = {**json.loads(card.to_json()), "in_use": is_champion}
            click.echo(json.dumps(record))
            continue
        click.echo(
            f"{'*' if is_champion else ' '} {card.model_id}  {card.network} {card.image_size} px  "
            f"melanoma AUROC {output.estimate_text(card.figures['all']['melanoma_auroc'])}"
        )


@click.command()
@click.argument("model_id", required=False)
@click.option(
    "--output",
    "output_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write, such as docs/model-card.md; the screen by default.",
)
def card(model_id: str | None, output_path: Path | None) -> None:
    """Write a model's card as a document; the champion's by default."""
    from melanoma_core.evaluation import evaluate, model_cards
    from melanoma_core.models import store

    if model_id is None:
        champion = store.champion(paths.models_dir())
        if champion is None:
            raise ModelError("There is no champion yet. Promote a model, or name one.")
        model_id = champion.model_id
    directory = store.model_dir(paths.models_dir(), model_id)
    model_card, card_sha256, files = store.read_files(directory)
    measured = evaluate.from_json(files["evaluation.json"])
    text = model_cards.document(model_card, measured, card_sha256)
    if output_path is None:
        click.echo(text, nl=False)
        return
    try:
        paths.write_atomic(output_path, text.encode())
    except OSError as error:
        raise ModelError(
            f"{output_path.name} cannot be written: {error.strerror}. Name a file in an existing "
            "folder that you may write to."
        ) from error
    click.echo(f"The card of {model_id} was written to {output_path.name}.", err=True)


@click.command()
@click.argument("model_id")
@_author
@_reason
@click.option("--force", is_flag=True, help="Promote it although it fails the safety check.")
def promote(model_id: str, author: str | None, reason: str, force: bool) -> None:
    """Make MODEL_ID the champion if it passes the safety check against the present one."""
    from melanoma_core.evaluation import promotion
    from melanoma_core.runs import lifecycle

    promoted = promotion.promote(
        paths.models_dir(),
        model_id,
        author=author or lifecycle.user_name(),
        reason=reason,
        force=force,
    )
    for problem in promoted.problems:
        click.echo(problem, err=True)
    if promoted.comparison is not None:
        click.echo(str(promoted.comparison))
    elif not promoted.champion.against:
        why = (
            "none of the earlier champions is sound"
            if promoted.problems
            else "there was no champion"
        )
        click.echo(f"Not compared: {why}, so {model_id} is promoted as a first model.")
    if promoted.champion.against:
        click.echo(f"Forced: {promoted.champion.against}")
    click.echo(f"{promoted.champion.model_id} is the champion since {promoted.champion.since}.")


@click.command()
@click.argument("model_id", required=False)
@_author
@_reason
def rollback(model_id: str | None, author: str | None, reason: str) -> None:
    """Go back to one of the last five champions; to the one before by default."""
    from melanoma_core.evaluation import promotion
    from melanoma_core.runs import lifecycle

    champion, problems = promotion.roll_back(
        paths.models_dir(), model_id, author=author or lifecycle.user_name(), reason=reason
    )
    for problem in problems:
        click.echo(problem, err=True)
    click.echo(f"{champion.model_id} is the champion since {champion.since}.")


@click.command()
@click.option("--author", default="", metavar="NAME", help="Who does it, for the journal.")
def upgrade(author: str) -> None:
    """Bring the files of models made before version 0.9 to their present form."""
    from melanoma_core.models import upgrades

    upgraded = upgrades.upgrade(paths.models_dir(), author)
    click.echo(f"Upgraded: {', '.join(upgraded) or 'no model needed it'}.")
