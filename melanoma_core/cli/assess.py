"""`assess`: photographs in, probabilities and verdicts out."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from melanoma_core.cli import output
from melanoma_core.errors import ImageError

if TYPE_CHECKING:
    from melanoma_core.models.predict import Model


@click.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--model", "model_id", help="Id of a model; the champion by default.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line, in order.")
def assess(images: tuple[Path, ...], model_id: str | None, as_json: bool) -> None:
    """Assess photographs, each on its own; exit code 2 when one was refused."""
    model = output.read_model(model_id)
    num_refused = 0
    for path in images:
        try:
            record = _assess_one(model, path)
        except ImageError as error:
            num_refused += 1
            click.echo(str(error), err=True)
            if as_json:
                click.echo(json.dumps({"file": str(path), "error": str(error)}))
            continue
        click.echo(json.dumps(record) if as_json else _text(record))
    if not as_json:
        click.echo(model.card.intended_use, err=True)
    if num_refused:
        sys.exit(2)


def _assess_one(model: "Model", path: Path) -> dict[str, Any]:
    from melanoma_core.images import reading
    from melanoma_core.models import predict

    prediction = predict.classify(model, reading.read_file(path))
    threshold = model.card.operating_point().threshold
    return {
        "file": str(path),
        "model_id": prediction.model_id,
        "probabilities": {code: prediction.probability(code) for code in prediction.codes},
        "melanoma_probability": prediction.melanoma_probability,
        "malignant_probability": prediction.malignant_probability,
        "threshold": threshold,
        "above_threshold": prediction.melanoma_probability >= threshold,
        "intended_use": model.card.intended_use,
    }


def _text(record: dict[str, Any]) -> str:
    from melanoma_core.evaluation.formats import digits
    from melanoma_core.images import reading

    side = "above" if record["above_threshold"] else "below"
    likeliest = max(record["probabilities"], key=record["probabilities"].get)
    return (
        f"{reading.printable(record['file'])}: {side} the referral threshold for melanoma "
        f"(melanoma {digits(record['melanoma_probability'])} %, threshold "
        f"{digits(record['threshold'])} %); likeliest diagnosis {likeliest} "
        f"({digits(record['probabilities'][likeliest])} %); model {record['model_id']}"
    )
