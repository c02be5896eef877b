"""What the quality findings catch, and how often they fire on photographs as they are (test split).

Run as `python -m benchmarks.accuracy.quality [--model ID]` from the project's root. Melanoma
photographs are degraded as in fitting the limits. Those that end below both thresholds without a
severe finding are missed without a word; the share of undegraded ones below is what remains
unavoidable. A refused photograph counts as one with a severe finding.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import records, tables
from benchmarks.accuracy import held_out
from melanoma_core.images import degradations, reading
from melanoma_core.images.degradations import DEGRADATIONS, STRENGTHS
from melanoma_core.models import assessments
from melanoma_core.models.predict import Model
from melanoma_core.models.quality_checks import OK, SEVERE, Finding, Limit
from melanoma_core.training import quality_limits
from melanoma_core.training.quality_limits import Judged

_NOT_FITTED = "the card has none, so they were fitted now"
_ALL = "all"
_REFUSED = "refused"  # as no photograph of a lesion; it counts as a severe finding


def main() -> None:
    """Measure the model in use, print three tables, and record the figures."""
    arguments = _arguments()
    started = time.monotonic()
    name = "quality"
    with records.recorded(name, arguments.results, "ai-edge-litert", "opencv-python") as record:
        model = held_out.load(arguments)[0]
        held_out.print_models([model])
        rows = _rows(arguments)
        print("limits: " + ("from the card" if model.card.quality_limits else _NOT_FITTED))
        limits = model.card.quality_limits or _fit(model, rows[rows["split"] != "test"])
        model = replace(model, card=replace(model.card, quality_limits=limits))
        test = rows[rows["split"] == "test"].reset_index(drop=True)
        undegraded = _examine(model, test)
        fired = _print_fired(undegraded)
        degraded = _degrade(model, test[test["is_melanoma"]])
        is_melanoma = test["is_melanoma"].to_numpy()
        missed = _print_missed(undegraded[is_melanoma], degraded)
        print(f"\n{time.monotonic() - started:,.0f} s in all")
        record |= {
            "models": held_out.describe([model]),
            "limits": {kind: _numbers(limit) for kind, limit in limits.items()},
            "fired": fired,
            "missed": missed,
        }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    held_out.add_options(
        parser, "ham10000.zip", "isic2017.zip", "isic2020.zip", "isic_archive_acral.zip"
    )
    held_out.add_splits_option(parser)
    records.add_option(parser)
    return parser.parse_args()


def _rows(arguments: argparse.Namespace) -> pd.DataFrame:
    table = held_out.combined_with_splits(arguments)
    return table.assign(is_melanoma=table["diagnosis"] == "MEL")


def _judged(model: Model) -> Judged:
    card = model.card
    return Judged(
        model.network,
        card.calibration,
        card.diagnoses.index("MEL"),
        card.operating_point().threshold,
        card.color_cast_limits,
    )


def _fit(model: Model, rows: pd.DataFrame) -> dict[str, Limit]:
    return quality_limits.fit(_judged(model), rows, lambda done, total: None)


def _numbers(limit: Limit) -> dict[str, float | None]:
    return {
        name: None if np.isnan(value) else round(value, 5) for name, value in vars(limit).items()
    }


def _judge(model: Model, image: NDArray[np.uint8]) -> tuple[bool, tuple[Finding, ...]]:
    """Whether the photograph is below both thresholds, and its findings; refused is severe."""
    try:
        photograph = assessments.examine(model, image)
    except assessments.RefusedError as error:
        return True, (Finding(_REFUSED, SEVERE, str(error)),)
    verdict = assessments.combine(model, [photograph]).verdict()
    return not verdict.is_referred, photograph.findings


def _examine(model: Model, rows: pd.DataFrame) -> pd.DataFrame:
    """One row a photograph: `is_below` without a severe finding, and the severity of each kind."""
    made = []
    for row in rows.itertuples():
        is_below, findings = _judge(model, reading.read_file(Path(str(row.path))))
        severities = {finding.kind: finding.severity for finding in findings}
        is_severe = SEVERE in severities.values()
        made.append({"source": row.source, "is_below": is_below and not is_severe, **severities})
    # A check that says nothing of a photograph, such as of an outline that was not found, is fine.
    return pd.DataFrame(made).fillna(OK)


def _degrade(model: Model, melanomas: pd.DataFrame) -> pd.DataFrame:
    """One row a degraded photograph: `kind`, `strength`, `is_below` and `is_severe`."""
    made = []
    for row in melanomas.itertuples():
        image = reading.read_file(Path(str(row.path)))
        for kind in DEGRADATIONS:
            for strength in STRENGTHS:
                changed = degradations.degrade(image, kind, strength, str(row.image_id))
                is_below, findings = _judge(model, changed)
                made.append(
                    {
                        "source": row.source,
                        "kind": kind,
                        "strength": strength,
                        "is_below": is_below,
                        "is_severe": any(finding.severity == SEVERE for finding in findings),
                    }
                )
    return pd.DataFrame(made)


def _sources(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [*((str(name), part) for name, part in table.groupby("source")), (_ALL, table)]


def _print_fired(undegraded: pd.DataFrame) -> list[dict[str, Any]]:
    """How often each finding fires on the photographs as they are."""
    kinds = [name for name in undegraded.columns if name not in ("source", "is_below")]
    fired = []
    for source, part in _sources(undegraded):
        # Refusals have a measurement of their own.
        severities = part[[kind for kind in kinds if kind != _REFUSED]]
        row: dict[str, Any] = {
            "source": source,
            "num_photographs": len(part),
            "severe": float((severities == SEVERE).any(axis=1).mean()),
            "any": float((severities != OK).any(axis=1).mean()),
        }
        for kind in kinds:
            row[f"{kind}, severe"] = float((part[kind] == SEVERE).mean())
            row[f"{kind}, any"] = float((part[kind] != OK).mean())
        fired.append(row)
    print("\nPhotographs as they are: share with a finding, severe / any")
    headings = ("finding", *(held_out.source_name(row["source"]) for row in fired))
    lines = [("photographs", *(f"{row['num_photographs']:,}" for row in fired))]
    lines.append(("at least one", *(f"{row['severe']:.1%} / {row['any']:.1%}" for row in fired)))
    for kind in kinds:
        cells = (f"{row[f'{kind}, severe']:.1%} / {row[f'{kind}, any']:.1%}" for row in fired)
        lines.append((kind, *cells))
    tables.print_table(headings, lines)
    return fired


def _print_missed(undegraded: pd.DataFrame, degraded: pd.DataFrame) -> list[dict[str, Any]]:
    """Degraded melanomas below the threshold without a severe finding, beyond those undegraded."""
    below = {source: float(part["is_below"].mean()) for source, part in _sources(undegraded)}
    missed = []
    for (kind, strength), part in degraded.groupby(["kind", "strength"], sort=False):
        for source, of_source in _sources(part):
            is_missed = of_source["is_below"] & ~of_source["is_severe"]
            missed.append(
                {
                    "kind": kind,
                    "strength": strength,
                    "level": DEGRADATIONS[kind].levels[strength - 1],
                    "source": source,
                    "num_melanomas": len(of_source),
                    "below_undegraded": below[source],
                    "below": float(of_source["is_below"].mean()),
                    "severe": float(of_source["is_severe"].mean()),
                    "missed": float(is_missed.mean()),
                }
            )
    print("\nMelanoma photographs as they are, below without a severe finding")
    for source, part in _sources(undegraded):
        print(f"{held_out.source_name(source)}: {below[source]:.1%} of {len(part):,}")
    print(
        "\nDegraded melanoma photographs: points more below than undegraded, of all sources; the"
        "\nsame without those that have a severe finding, of all and of each source"
    )
    names = [held_out.source_name(source) for source, _ in _sources(undegraded)]
    headings = ("degradation", "level", "severe", "below", "without a finding", *names[:-1])
    lines = []
    for first in range(0, len(missed), len(names)):
        *others, all_rows = missed[first : first + len(names)]
        cells = (_points(row, "missed") for row in (all_rows, *others))
        level, flagged = f"{all_rows['level']:g}", f"{all_rows['severe']:.0%}"
        lines.append((str(all_rows["kind"]), level, flagged, _points(all_rows, "below"), *cells))
    tables.print_table(headings, lines)
    for kind, degradation in DEGRADATIONS.items():
        print(f"{kind}: {degradation.unit}")
    return missed


def _points(row: dict[str, Any], name: str) -> str:
    return f"{100 * (row[name] - row['below_undegraded']):+.1f}"


if __name__ == "__main__":
    main()
