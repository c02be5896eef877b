"""From the data sets of a run to one table, clean and divided, with its photographs in memory."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from melanoma_core import paths
from melanoma_core.audit import cleaning
from melanoma_core.audit.cleaning import Cleaned
from melanoma_core.data import datasets, splits
from melanoma_core.data.datasets import Dataset
from melanoma_core.data.schema import SPLITS
from melanoma_core.diagnoses import LABELS
from melanoma_core.errors import DatasetError, RunError
from melanoma_core.images.squares import Squares
from melanoma_core.runs import plans, provenance
from melanoma_core.runs.plans import RunPlan
from melanoma_core.runs.provenance import Parent

_NUM_BETWEEN = 100  # photographs between two updates of the progress
_NOT_CLEANED = "Trained on the files as they are: cleaning was switched off."
_ADVICE = {
    "full": "Divide them as for that model (--split-by model), or start from --weights.",
    "head": "Divide them as for that model (--split-by model).",
    # A division that suits one of two parents need not suit the other.
    "ensemble": "Give a split file (--splits) that holds out only what was held out from both.",
    "recalibrate": "Divide them as for that model (--split-by model).",
}


@dataclass(frozen=True)
class TrainingData:
    """What a run is trained and measured on."""

    datasets: tuple[Dataset, ...]  # with the tables that were used
    rows: pd.DataFrame  # combined, one row per photograph, divided
    further_files: Mapping[str, tuple[str, ...]]  # as in `Dataset`
    notes: tuple[str, ...]  # what was translated, merged, relabeled or left out
    # (S, S, 3) by path; empty in a preview, which decodes none.
    images: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    # Training photographs that no weights were trained on, as `rows`: only a model's parts use
    # them. None: there are none.
    untrained: pd.DataFrame | None = None

    def split(self, name: str) -> pd.DataFrame:
        """The photographs of a split, one row each."""
        return self.rows[self.rows["split"] == name].reset_index(drop=True)

    def part_rows(self) -> pd.DataFrame:
        """The training photographs, those that no weights were trained on among them."""
        train = self.split("train")
        if self.untrained is None:
            return train
        return pd.concat([train, self.untrained], ignore_index=True)

    def files(self, split: str) -> pd.DataFrame:
        """The photographs of a split, one row per file: several data sets may have one each.

        Trained on one archive's files for one diagnosis and another's for the next, a network
        learns to recognize the archive. Files of all archives under one label prevent that.
        """
        rows = self.split(split)
        further = [
            record | {"path": path}
            for record in rows.to_dict("records")
            for path in self.further_files.get(record["image_id"], ())
        ]
        return pd.concat([rows, pd.DataFrame(further, columns=rows.columns)], ignore_index=True)

    def images_of(self, rows: pd.DataFrame) -> list[NDArray[np.uint8]]:
        """The image of each row."""
        return [self.images[path] for path in rows["path"]]


def labels(rows: pd.DataFrame) -> NDArray[np.int64]:
    """(N,) position of the label of each row in `LABELS`."""
    return np.array([LABELS.index(label) for label in rows["diagnosis"]], np.int64)


def counts(rows: pd.DataFrame) -> NDArray[np.int64]:
    """(10,) rows of each label, in the order of `LABELS`."""
    return np.bincount(labels(rows), minlength=len(LABELS))


def read(plan: RunPlan, run_dir: Path, parents: Sequence[Parent], image_size: int) -> TrainingData:
    """Read, audit, clean, combine and divide the data sets of a run; each file is decoded once.

    Args:
        plan: settings and data.
        run_dir: the run's own folder, whose status shows the progress.
        parents: models that the network comes from.
        image_size: px a side that the network takes.

    Raises:
        DatasetError: a data set cannot be read, or a split lacks what training needs.
        RunError: a photograph to be measured may have been trained on by a parent.
    """
    plans.write_status(run_dir, "reading")
    sets = read_datasets(plan)
    squares = Squares(image_size)
    phase = "checking the data" if plan.is_cleaned else "reading"

    def on_progress(done: int, total: int) -> None:
        if done % _NUM_BETWEEN == 0 or done == total:
            plans.write_status(run_dir, phase, done=done, total=total)

    if plan.is_cleaned:
        cleaned = cleaning.clean(sets, on_progress, squares.add)
    else:
        check(
            plan, divide(plan, Cleaned(sets, (), ()), parents), parents
        )  # before minutes of reading
        squares.read([path for dataset in sets for path in dataset.table["path"]], on_progress)
        refused = (f"Left out: {reason}" for reason in squares.refused.values())
        cleaned = Cleaned(sets, (), (_NOT_CLEANED, *refused))
    data = _with_images(divide(plan, cleaned, parents), squares.images)
    check(plan, data, parents)
    if not plan.updates_weights:
        data = _without_new_photographs(data, parents)
    num_further = sum(
        len(data.further_files.get(image_id, ())) for image_id in data.split("train")["image_id"]
    )
    if plan.updates_weights and num_further:
        note = f"Photographs also used in a further file, from another data set: {num_further:,}."
        data = dataclasses.replace(data, notes=(*data.notes, note))
    return data


def _with_images(data: TrainingData, images: Mapping[str, NDArray[np.uint8]]) -> TrainingData:
    """The data with the images that they need; photographs of which no file is readable go."""
    further = {
        image_id: tuple(path for path in paths if path in images)
        for image_id, paths in data.further_files.items()
    }
    records = []
    for record in data.rows.to_dict("records"):
        if record["path"] not in images:
            first, *others = further.get(record["image_id"], ()) or (None,)
            record["path"], further[record["image_id"]] = first, tuple(others)
        if record["path"] is not None:
            records.append(record)
    rows = pd.DataFrame(records, columns=data.rows.columns).astype(data.rows.dtypes)
    needed = {*rows["path"], *(path for paths in further.values() for path in paths)}
    return dataclasses.replace(
        data,
        rows=rows,
        further_files=further,
        images={path: image for path, image in images.items() if path in needed},
    )


def read_datasets(plan: RunPlan) -> tuple[Dataset, ...]:
    """The data sets of a plan, with the splits that the audit judges them by."""
    sets = [datasets.read(Path(path)) for path in plan.datasets]
    if plan.splits is not None:
        split_of = splits.read_file(Path(plan.splits))
        sets = [
            _with_splits(one, [split_of.get(image_id) for image_id in one.table["image_id"]])
            for one in sets
        ]
    elif plan.split_by != "given":
        sets = [_with_splits(one, [None] * len(one.table)) for one in sets]
    return tuple(sets)


def _with_splits(dataset: Dataset, column: list[str | None]) -> Dataset:
    series = pd.Series(column, index=dataset.table.index, dtype=object)
    return dataclasses.replace(dataset, table=dataset.table.assign(split=series))


def divide(plan: RunPlan, cleaned: Cleaned, parents: Sequence[Parent]) -> TrainingData:
    """The clean tables as one, divided as the plan says; no photograph is decoded.

    Raises:
        DatasetError: the data sets or the split file do not fit together.
    """
    combined = datasets.combine(cleaned.datasets)
    copies = cleaning.copies_by_image_id(combined, cleaned.copies)
    seed = plan.config.seed
    if plan.splits is not None:
        rows = splits.apply_file(combined.table, Path(plan.splits))
    elif plan.split_by == "model" and parents:
        rows = provenance.assign(
            combined.table, parents[0], cleaned.datasets, seed=seed, copies=copies
        )
    else:
        rows = splits.assign(combined.table, seed=seed, keep_existing=True, copies=copies)
    notes = [*cleaned.notes, *combined.notes]
    if plan.is_cleaned:
        rows, leaks = cleaning.without_leaks(rows, copies)
        notes += leaks
    return TrainingData(cleaned.datasets, rows, combined.further_files, tuple(notes))


def check(plan: RunPlan, data: TrainingData, parents: Sequence[Parent]) -> None:
    """Refuse data that do not suffice, or that a parent may have been trained on.

    Raises:
        DatasetError: a split has no melanoma, or nothing else.
        RunError: a photograph to be held out may have been trained on by a parent.
    """
    check_splits(data.rows)
    for parent in parents:
        provenance.check(parent, data.rows, data.datasets, _ADVICE[plan.recipe])


def check_splits(rows: pd.DataFrame) -> None:
    """Refuse a division that nothing can be trained and measured on.

    Raises:
        DatasetError: a split has no melanoma, or nothing else.
    """
    for split in SPLITS:
        codes = set(rows.loc[rows["split"] == split, "diagnosis"])
        if "MEL" not in codes or len(codes) < 2:
            names = ", ".join(sorted(codes)) or "nothing"
            raise DatasetError(
                f"The {split} split holds {names}; it needs melanoma and at least one other "
                "diagnosis. Add photographs, or give a split file that has them."
            )


def _without_new_photographs(data: TrainingData, parents: Sequence[Parent]) -> TrainingData:
    """The data of a run that trains nothing: only training photographs of its parents count.

    Raises:
        RunError: no parent was trained on any of the training photographs.
        DatasetError: a split lacks what is needed.
    """
    is_train = (data.rows["split"] == "train").to_numpy()
    is_known = np.any(
        [provenance.may_be_trained_on(one, data.rows, data.datasets) for one in parents], axis=0
    )
    if not (is_train & is_known).any():
        names = " and ".join(f"“{one.model_id}”" for one in parents)
        raise RunError(
            f"None of the {int(is_train.sum()):,} training photographs was used to train {names}, "
            "and this run trains nothing. Name the data sets of the model as well."
        )
    is_new = is_train & ~is_known
    if not is_new.any():
        return data
    rows = data.rows[~is_new].reset_index(drop=True)
    check_splits(rows)
    note = (
        "Training photographs that no parent was trained on, used for similar cases, refusals and "
        f"limits of quality alone: {int(is_new.sum()):,}."
    )
    untrained = data.rows[is_new].reset_index(drop=True)
    return dataclasses.replace(data, rows=rows, notes=(*data.notes, note), untrained=untrained)


def split_sha256(rows: pd.DataFrame) -> str:
    """SHA-256 of which photograph, of which group, is in which split."""
    lines = sorted(
        f"{row.image_id},{row.group_id},{row.split}" for row in rows.itertuples(index=False)
    )
    return paths.sha256("\n".join(lines).encode())
