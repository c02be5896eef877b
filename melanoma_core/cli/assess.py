"""`assess`: photographs in, probabilities and verdicts out."""

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from melanoma_core.cli import output
from melanoma_core.errors import ImageError

if TYPE_CHECKING:
    from melanoma_core.models.assessments import Assessment, Photograph
    from melanoma_core.models.predict import Model

_HEADINGS = {
    "melanoma": "above the referral threshold for melanoma",
    "carcinoma": "above the referral threshold for carcinoma",
    "not_judged": "cannot be judged",
}


@click.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--model", "model_id", help="Id of a model; the champion by default.")
@click.option(
    "--one-lesion", is_flag=True, help="All photographs show one lesion: one result, from the mean."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line, in order.")
def assess(images: tuple[Path, ...], model_id: str | None, one_lesion: bool, as_json: bool) -> None:
    """Assess photographs, each on its own; exit code 2 when one was refused."""
    model = output.read_model(model_id)
    examined: dict[str, Photograph] = {}  # by path
    refusals: list[dict[str, Any]] = []
    for path in images:
        try:
            photograph = _examine(model, path)
        except ImageError as error:
            click.echo(_message(path, error), err=True)
            refusals.append(_refusal(path, error))
            if as_json and not one_lesion:
                click.echo(json.dumps(refusals[-1]))
            continue
        if one_lesion:
            examined[str(path)] = photograph
        else:
            _print({"file": str(path)}, [photograph], model, as_json)
    named = {"files": list(examined), "refused_files": refusals}
    if one_lesion and examined:
        _print(named, list(examined.values()), model, as_json)
    elif one_lesion and as_json:
        click.echo(json.dumps(named))
    if not as_json:
        click.echo(model.card.intended_use, err=True)
    if refusals:
        sys.exit(2)


def _examine(model: "Model", path: Path) -> "Photograph":
    from melanoma_core.images import reading
    from melanoma_core.models import assessments

    return assessments.examine(model, reading.read_file(path))


def _message(path: Path, error: ImageError) -> str:
    """What to print of a refusal; that of the reader names the file itself."""
    from melanoma_core.images import reading
    from melanoma_core.models.assessments import RefusedError

    if isinstance(error, RefusedError):
        return f"{reading.printable(str(path))}: {error}"
    return str(error)


def _refusal(path: Path, error: ImageError) -> dict[str, Any]:
    from melanoma_core.models.assessments import RefusedError

    if isinstance(error, RefusedError):
        return {"file": str(path), "refused": dataclasses.asdict(error.refusal)}
    return {"file": str(path), "error": str(error)}


def _print(
    named: dict[str, Any], photographs: Sequence["Photograph"], model: "Model", as_json: bool
) -> None:
    from melanoma_core.models import assessments

    assessment = assessments.combine(model, photographs)
    record = {**named, **_record(assessment)}
    if "files" in named:
        alone = [photograph.prediction.melanoma_probability for photograph in photographs]
        record["melanoma_probabilities"] = alone  # of each photograph by itself, as `files`
    for check in record["checks"]:
        number = check.pop("photograph")
        if "files" in named:
            check["file"] = named["files"][number]
    click.echo(json.dumps(record) if as_json else _text(record))


def _record(assessment: "Assessment") -> dict[str, Any]:
    card, prediction, verdict = assessment.card, assessment.prediction, assessment.verdict()
    threshold = card.operating_point().threshold
    carcinoma = card.carcinoma_point()
    record: dict[str, Any] = {
        "model_id": prediction.model_id,
        "probabilities": {code: prediction.probability(code) for code in prediction.codes},
        "melanoma_probability": prediction.melanoma_probability,
        "malignant_probability": prediction.malignant_probability,
        "threshold": threshold,
        "above_threshold": prediction.melanoma_probability >= threshold,
    }
    if carcinoma:
        record |= {
            "carcinoma_probability": prediction.carcinoma_probability,
            "carcinoma_threshold": carcinoma.threshold,
            "above_carcinoma_threshold": prediction.carcinoma_probability >= carcinoma.threshold,
        }
    return record | {
        "verdict": verdict,
        "referred": verdict.is_referred,
        "checks": [
            dataclasses.asdict(finding) | {"photograph": number}
            for number, photograph in enumerate(assessment.photographs)
            for finding in photograph.findings
        ],
        "intended_use": card.intended_use,
    }


def _text(record: dict[str, Any]) -> str:
    from melanoma_core.evaluation.formats import NARROW_SPACE, cutoff, percent, percent_range
    from melanoma_core.images import reading

    names = [record["file"]] if "file" in record else record["files"]
    below = "both referral thresholds" if "carcinoma_threshold" in record else (
        "the referral threshold for melanoma"
    )  # fmt: skip
    heading = _HEADINGS.get(record["verdict"], f"below {below}")
    likeliest = max(record["probabilities"], key=record["probabilities"].get)
    numbers = (
        f"melanoma {percent(record['melanoma_probability'])}, threshold "
        f"{cutoff(record['threshold'])}"
    )
    if "carcinoma_threshold" in record:
        numbers += (
            f"; carcinoma {percent(record['carcinoma_probability'])}, threshold "
            f"{cutoff(record['carcinoma_threshold'])}"
        )
    alone = record.get("melanoma_probabilities", ())
    if len(alone) > 1:
        numbers += f"; single photographs {percent_range(min(alone), max(alone), ' to ')}"
    problems = "".join(
        f"; {_named(check)}{check['message']}"
        for check in record["checks"]
        if check["severity"] != "ok"
    )
    text = (
        f"{', '.join(map(reading.printable, names))}: {heading} ({numbers}); likeliest diagnosis "
        f"{likeliest} ({percent(record['probabilities'][likeliest])}); model "
        f"{record['model_id']}{problems}"
    )
    return text.replace(NARROW_SPACE, " ")  # which not every terminal can show


def _named(check: dict[str, Any]) -> str:
    """The file that a check is about, where there are several."""
    from melanoma_core.images import reading

    return f"{reading.printable(check['file'])}: " if "file" in check else ""
