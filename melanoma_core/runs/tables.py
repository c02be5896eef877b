"""From the data sets of a training to one table, clean and divided."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from melanoma_core.audit import cleaning
from melanoma_core.audit.cleaning import Cleaned
from melanoma_core.data import datasets, splits
from melanoma_core.data.datasets import Dataset
from melanoma_core.data.schema import SPLITS
from melanoma_core.diagnoses import CODES
from melanoma_core.errors import DatasetError, RunError
from melanoma_core.runs import plans, provenance
from melanoma_core.runs.plans import RunPlan
from melanoma_core.runs.provenance import Lineage

# What suits one of two models that are joined need not suit the other.
_DIVIDE_AS_BEFORE = "Divide them as they were for that model (--split-by model)."
_HOLD_OUT_OF_BOTH = "Give a split file (--splits) that holds out only what was held out from both."
_AS_THEY_ARE = "Taught as the files are: the data doctor’s clean table was switched off."


@dataclass(frozen=True)
class TrainingTable:
    """What a run may learn from and is measured on, before a photograph is decoded for it."""

    datasets: tuple[Dataset, ...]  # with the tables that were taken
    rows: pd.DataFrame  # combined, one row a photograph, divided
    further_files: Mapping[str, tuple[str, ...]]  # as `Dataset.further_files`
    notes: tuple[str, ...]  # what was translated, merged, relabeled or left out


def read(plan: RunPlan, run_dir: Path, lineage: Lineage | None = None) -> TrainingTable:
    """Read, clean, combine and divide the data sets of a run, and check that they suffice.

    Args:
        plan: settings and data.
        run_dir: the run's own folder, whose status tells how far it is.
        lineage: of the model that training goes on from; None where there is none.

    Raises:
        DatasetError: a data set cannot be read, or a split lacks what training needs.
        RunError: a photograph to be measured may have been taught to that model.
    """
    plans.write_status(run_dir, "reading")
    taken = read_datasets(plan)
    if plan.is_cleaned:

        def report(done: int, total: int) -> None:
            if done % 100 == 0 or done == total:
                plans.write_status(run_dir, "checking the data", done=done, total=total)

        cleaned = cleaning.clean(taken, report)
    else:
        cleaned = Cleaned(taken, (), (_AS_THEY_ARE,))
    found = divided(plan, cleaned, lineage)
    check(found.rows)
    if lineage is not None:
        check_lineage(plan, found, lineage)
    return found


def read_datasets(plan: RunPlan) -> tuple[Dataset, ...]:
    """The data sets of a plan, with the splits that it judges them by."""
    read = [datasets.read(Path(path)) for path in plan.datasets]
    if plan.splits is not None:
        given = splits.read_file(Path(plan.splits))
        read = [
            _with_splits(found, [given.get(image_id) for image_id in found.table["image_id"]])
            for found in read
        ]
    elif plan.split_by != "given":
        read = [_with_splits(found, [None] * len(found.table)) for found in read]
    return tuple(read)


def _with_splits(found: Dataset, given: list[str | None]) -> Dataset:
    column = pd.Series(given, index=found.table.index, dtype=object)
    return dataclasses.replace(found, table=found.table.assign(split=column))


def divided(plan: RunPlan, cleaned: Cleaned, lineage: Lineage | None) -> TrainingTable:
    """The clean tables as one, divided as the plan says.

    Raises:
        DatasetError: the data sets or the split file do not fit together.
    """
    combined = datasets.combine(cleaned.datasets)
    copies = cleaning.copies_by_image_id(combined, cleaned.copies)
    seed = plan.config.seed
    if plan.splits is not None:
        rows = splits.apply_file(combined.table, Path(plan.splits))
    elif plan.split_by == "model" and lineage is not None:
        rows = provenance.assign(
            combined.table, lineage, cleaned.datasets, seed=seed, copies=copies
        )
    else:
        rows = splits.assign(combined.table, seed=seed, keep_existing=True, copies=copies)
    notes = [*cleaned.notes, *combined.notes]
    if lineage is not None and plan.teaches:
        notes.insert(0, f"Training went on from the model {lineage.model_id}.")
    if plan.is_cleaned:
        rows, leaks = cleaning.without_leaks(rows, copies)
        notes += leaks
    return TrainingTable(cleaned.datasets, rows, combined.further_files, tuple(notes))


def check(rows: pd.DataFrame) -> None:
    """Refuse a divided table of which a split lacks what training needs.

    Raises:
        DatasetError: a split has no melanoma, or nothing else.
    """
    for split in SPLITS:
        found = set(rows.loc[rows["split"] == split, "diagnosis"])
        if "MEL" not in found or len(found) < 2:
            names = ", ".join(sorted(found)) or "nothing"
            raise DatasetError(
                f"The {split} split holds {names}; it needs melanoma and at least one other "
                "diagnosis. Add photographs, or give a split file that has them."
            )


def check_lineage(plan: RunPlan, found: TrainingTable, lineage: Lineage) -> None:
    """Refuse to measure on what a model that the plan goes on from, or joins, may have been taught.

    Raises:
        RunError: a photograph to be held out may have been taught.
    """
    if plan.joined_with is not None:
        provenance.check(lineage, found.rows, found.datasets, _HOLD_OUT_OF_BOTH)
    elif plan.has_epochs:
        provenance.check(lineage, found.rows, found.datasets)
    else:  # the network stays as it is: there is no other start
        provenance.check(lineage, found.rows, found.datasets, _DIVIDE_AS_BEFORE)


def taught_alone(found: TrainingTable, known: Sequence[Lineage]) -> TrainingTable:
    """The table for making a model of others without teaching it anything.

    What is for training and none of those models was taught is left out, with a note.

    Args:
        found: as `read` gives it.
        known: of the models.

    Raises:
        RunError: none of them was taught anything that is for training.
        DatasetError: a split lacks what is needed.
    """
    is_train = (found.rows["split"] == "train").to_numpy()
    is_taught = np.any(
        [provenance.may_be_taught(one, found.rows, found.datasets) for one in known], axis=0
    )
    if not (is_train & is_taught).any():
        names = " and ".join(f"“{one.model_id}”" for one in known)
        raise RunError(
            f"Of the {int(is_train.sum()):,} training photographs {names} learned from none, and "
            "nothing is taught here. Name the data sets that the model learned from as well."
        )
    is_new = is_train & ~is_taught
    if not is_new.any():
        return found
    rows = found.rows[~is_new].reset_index(drop=True)
    check(rows)
    note = f"Left out of training, as the model was never taught them: {int(is_new.sum()):,}."
    return dataclasses.replace(found, rows=rows, notes=(*found.notes, note))


def with_further_files(
    part: pd.DataFrame, found: TrainingTable
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Rows to learn from, and each again for every further file of its photograph; and a note.

    Taught one archive's files for one diagnosis and another's for the next, a network tells the
    archives apart instead: files of all archives under one label leave it nothing to tell.
    """
    further = [
        record | {"path": path}
        for record in part.to_dict("records")
        for path in found.further_files.get(record["image_id"], ())
    ]
    notes = (
        (f"Taught in a further file as well, as another set has it: {len(further):,}.",)
        if further
        else ()
    )
    rows = pd.DataFrame(further, columns=part.columns)
    return pd.concat([part, rows], ignore_index=True), notes


def labels(rows: pd.DataFrame) -> NDArray[np.int64]:
    """(N,) position of the diagnosis of each row in `CODES`."""
    return np.array([CODES.index(code) for code in rows["diagnosis"]], np.int64)
