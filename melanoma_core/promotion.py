"""Put a candidate into use, only when it is shown to be no worse."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from melanoma_core import evaluate, metrics, predict, registry
from melanoma_core.errors import ModelError
from melanoma_core.evaluate import Evaluation

MARGIN = 0.03  # of sensitivity for melanoma: a loss this small may be chance


@dataclass(frozen=True)
class Comparison:
    """Candidate against champion on the same test photographs, at their own thresholds."""

    num_photographs: int
    num_melanomas: int
    sensitivity_change: float  # candidate minus champion
    lower_bound: float  # of the change, one-sided 95 %, bootstrapped over groups
    specificity_change: float

    @property
    def is_no_worse(self) -> bool:
        """Whether a loss of sensitivity beyond the margin is ruled out."""
        return self.lower_bound >= -MARGIN


def compare(models_dir: Path, champion_id: str, candidate_id: str) -> Comparison:
    """Hold a candidate against the champion.

    Raises:
        ModelError: the two were not measured on the same test photographs, or these hold no
            melanoma.
    """
    (champion, champion_threshold), (candidate, candidate_threshold) = (
        _test_part(models_dir, model_id) for model_id in (champion_id, candidate_id)
    )
    first, second = (
        measured.table[["image_id", "diagnosis"]].to_numpy().tolist()
        for measured in (champion, candidate)
    )
    if first != second:
        raise ModelError(
            f"“{candidate_id}” and “{champion_id}” were not measured on the same test "
            "photographs with the same diagnoses, so neither can be shown to be no worse. Train "
            "the candidate with the data and the split file of the model in use."
        )
    is_melanoma = champion.is_melanoma == 1
    if len(set(champion.groups[is_melanoma])) < 2:
        raise ModelError(
            f"The test photographs of “{champion_id}” hold {int(is_melanoma.sum())} melanoma; "
            "two lesions at least are needed to show that a candidate is no worse. Measure both "
            "on a larger test split."
        )
    change = (candidate.melanoma_probability >= candidate_threshold).astype(float) - (
        champion.melanoma_probability >= champion_threshold
    )
    low, _ = metrics.bootstrap_interval(
        np.mean, (change[is_melanoma],), champion.groups[is_melanoma], level=0.90
    )
    return Comparison(
        num_photographs=len(champion),
        num_melanomas=int(is_melanoma.sum()),
        sensitivity_change=float(change[is_melanoma].mean()),
        lower_bound=low,
        specificity_change=float(-change[~is_melanoma].mean()),
    )


def promote(models_dir: Path, model_id: str) -> tuple[registry.InUse, Comparison | None]:
    """Put a model into use; against a champion only when it is no worse.

    Raises:
        ModelError: the model fails its checks, is in use already, or may be worse.
    """
    predict.load(registry.model_dir(models_dir, model_id))
    champion = registry.champion(models_dir)
    if champion is None:
        return registry.put_into_use(models_dir, model_id), None
    if champion.model_id == model_id:
        raise ModelError(f"“{model_id}” is in use already, since {champion.since}.")
    comparison = compare(models_dir, champion.model_id, model_id)
    if not comparison.is_no_worse:
        raise ModelError(
            f"“{model_id}” was not put into use: on {comparison.num_melanomas} melanoma "
            f"photographs its sensitivity differs by {100 * comparison.sensitivity_change:+.1f} "
            f"points, and a loss of {-100 * comparison.lower_bound:.1f} points cannot be ruled "
            f"out; at most {100 * MARGIN:g} is allowed. “{champion.model_id}” goes on answering."
        )
    return registry.put_into_use(models_dir, model_id), comparison


def _test_part(models_dir: Path, model_id: str) -> tuple[Evaluation, float]:
    card, _, contents = registry.read_files(registry.model_dir(models_dir, model_id))
    measured = evaluate.from_json(contents["evaluation.json"])
    order = np.argsort(measured.table["image_id"].to_numpy(dtype=str), kind="stable")
    measured = Evaluation(measured.table.iloc[order].reset_index(drop=True), measured.y_prob[order])
    is_test = (measured.table["split"] == "test").to_numpy()
    return measured.where(is_test), card.operating_point().threshold
