"""What several commands print."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from melanoma_core import paths

if TYPE_CHECKING:
    from melanoma_core.metrics.estimates import Estimate
    from melanoma_core.models.predict import Model


def read_model(model_id: str | None) -> "Model":
    """The model of this id, or the champion; where that fails its checks, the one before it."""
    from melanoma_core.models import predict, store

    if model_id is not None:
        return predict.load(store.model_dir(paths.models_dir(), model_id))
    model, problem = predict.load_champion(paths.models_dir())
    if problem:
        click.echo(f"{problem} The previous model, {model.card.model_id}, answers.", err=True)
    return model


def print_estimates(sources: Mapping[str, Mapping[str, "Estimate"]]) -> None:
    """Print the estimates of each source, with their intervals.

    Where a figure of all classes is of fewer photographs, because some labels name no diagnosis,
    their number follows.
    """
    for source, estimates in sources.items():
        everything = estimates["melanoma_auroc"]
        named = estimates["accuracy"].num_photographs
        click.echo(
            f"{source}: {everything.num_photographs} photographs, {everything.num_lesions} lesions"
        )
        for name, estimate in estimates.items():
            is_of_named = estimate.num_photographs == named < everything.num_photographs
            basis = f", of {named} whose diagnosis is named" if is_of_named else ""
            click.echo(f"  {name:<18} {estimate_text(estimate)}{basis}")


def estimate_text(estimate: "Estimate") -> str:
    """The value with its interval; what is not defined as "n/a"."""
    value, low, high = (
        "n/a" if math.isnan(number) else f"{number:.3f}"
        for number in (estimate.value, estimate.low, estimate.high)
    )
    return f"{value} ({low} to {high})"
