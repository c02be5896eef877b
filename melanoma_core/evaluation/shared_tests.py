"""The test photographs on which two models can be held against each other.

Those that both were measured on, with the same diagnosis, and of whose lesion neither was taught
or set by anything: else the one that knows it would win by that.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from melanoma_core.data import class_folders, row_groups, schema
from melanoma_core.errors import ModelError
from melanoma_core.evaluation import evaluate
from melanoma_core.evaluation.evaluate import Evaluation
from melanoma_core.models import store, training_ids
from melanoma_core.models.cards import Card
from melanoma_core.models.training_ids import TrainingIds


@dataclass(frozen=True)
class Measured:
    """One model with its whole evaluation, and what it was taught, where that is known."""

    card: Card
    card_sha256: str
    evaluation: Evaluation
    taught: TrainingIds | None  # None: it keeps no list
    num_bytes: int  # of what answers: the graph and the dense layer

    @property
    def is_test(self) -> NDArray[np.bool_]:
        """(N,) which photographs of the evaluation are of the test split."""
        return np.asarray(self.evaluation.table["split"] == "test")


@dataclass(frozen=True)
class Common:
    """What two models were both measured on, row by row, in the order of the ids."""

    first: Evaluation
    second: Evaluation
    groups: NDArray[np.int64]  # (N,) of both groupings together; what is resampled whole
    is_whole: bool  # it is all that either was measured on
    notes: tuple[str, ...]  # what was left out and why, and what is not known


def read(models_dir: Path, model_id: str) -> Measured:
    """One model, every file checked.

    Raises:
        ModelError: there is no such model, or a file of it is damaged.
    """
    card, card_sha256, contents = store.read_files(store.model_dir(models_dir, model_id))
    held = contents.get(store.TRAINING_IDS)
    return Measured(
        card,
        card_sha256,
        evaluate.from_json(contents["evaluation.json"]),
        None if held is None else training_ids.from_bytes(held),
        len(contents["network.tflite"]) + len(contents["head.npz"]),
    )


def common(first: Measured, second: Measured) -> Common:
    """The test photographs that are clean for both.

    Raises:
        ModelError: there is none.
    """
    sets = _sets_as_in(first, second)
    second = _named_as_in(first, second, sets)
    group_of = _groups(first, second)
    names = _names(first, second, sets)
    tests = [
        model.evaluation.table[model.is_test].set_index("image_id") for model in (first, second)
    ]
    both = tests[0].index.intersection(tests[1].index).sort_values()
    is_alike = (tests[0].loc[both, "diagnosis"] == tests[1].loc[both, "diagnosis"]).to_numpy()
    # A group that either was taught, or chose its threshold on, is clean for neither.
    touched = [_touched(model, group_of, names) for model in (first, second)]
    is_clean = ~group_of[both].isin(touched[0] | touched[1]).to_numpy()
    kept = both[is_alike & is_clean]
    notes = _notes((first, second), tests, group_of, touched, int((~is_alike).sum()), len(kept))
    if len(kept) == 0:
        raise ModelError(
            f"“{second.card.model_id}” and “{first.card.model_id}” were not measured on the same "
            "test photographs with the same diagnoses, so neither can be shown to be no worse. "
            f"{' '.join(notes)} Train the candidate with the data and the split file of the model "
            "in use."
        )
    return Common(
        _rows(first, kept),
        _rows(second, kept),
        group_of[kept].to_numpy(dtype=np.int64),
        len(kept) == len(tests[0]) == len(tests[1]),
        notes,
    )


def _sets_as_in(first: Measured, second: Measured) -> dict[str, str]:
    """What the first model calls each data set that the second one was measured on.

    Those of the same bytes are one; of the others those of one name, for a set may have grown.
    """
    there, here = (set(model.evaluation.table["source"]) for model in (first, second))
    sha256 = [{use.name: use.sha256 for use in model.card.datasets} for model in (first, second)]
    pairs = [
        (
            mine in sha256[1] and sha256[1][mine] == sha256[0].get(theirs),
            mine == theirs,
            mine,
            theirs,
        )
        for mine, theirs in itertools.product(here, there)
    ]
    found: dict[str, str] = {}
    for is_of_its_bytes, is_of_its_name, mine, theirs in sorted(pairs, reverse=True):
        is_free = mine not in found and theirs not in found.values()
        if is_free and (is_of_its_bytes or is_of_its_name):
            found[mine] = theirs
    # Another set may have its name there.
    alone = {name: f"{name} of {second.card.model_id}" if name in there else name for name in here}
    return alone | found


def _named_as_in(first: Measured, second: Measured, sets: Mapping[str, str]) -> Measured:
    """The second model, its photographs under the ids and sets that the first one knows them by.

    The data set's name stands before an id only where another set of the same run had it too. One
    name in two sets means two photographs, unless it is an archive's number.
    """
    table = first.evaluation.table
    known: dict[tuple[str, str], str] = {
        (source, schema.remove_source(image_id, source)): image_id
        for image_id, source in zip(table["image_id"], table["source"], strict=True)
    }

    def named(image_id: str, source: str) -> str:
        alone = schema.remove_source(image_id, source)
        if class_folders.is_archive_id(alone):
            return alone
        return known.get((sets[source], alone), schema.add_source(alone, sets[source]))

    table = second.evaluation.table
    ids = [named(*row) for row in zip(table["image_id"], table["source"], strict=True)]
    table = table.assign(image_id=ids, source=table["source"].map(sets))
    return dataclasses.replace(second, evaluation=Evaluation(table, second.evaluation.y_prob))


def _groups(first: Measured, second: Measured) -> pd.Series:
    """The group of each photograph of both evaluations by its id: those of both joined."""
    table = pd.concat([first.evaluation.table, second.evaluation.table], ignore_index=True)
    ids = list(dict.fromkeys(table["image_id"]))
    place_of = {image_id: place for place, image_id in enumerate(ids)}
    places = table["image_id"].map(place_of)
    owner = np.repeat([0, 1], [len(first.evaluation), len(second.evaluation)])
    together: list[Sequence[int]] = list(places.groupby([owner, table["group_id"]]).agg(tuple))
    together += list(places.groupby(table["lesion_id"]).agg(tuple))  # those without one fall out
    groups = np.empty(len(ids), np.int64)
    for number, members in enumerate(row_groups.connected(len(ids), together)):
        groups[list(members)] = number
    return pd.Series(groups, index=ids)


def _names(first: Measured, second: Measured, sets: Mapping[str, str]) -> pd.DataFrame:
    """What `Taught.holds` takes of each photograph, as either model names it; the index is its id.

    What the second model was taught it knows by its own names of the sets.
    """
    table = pd.concat([first.evaluation.table, second.evaluation.table])
    table = table.set_index("image_id", drop=False)
    in_second = {theirs: mine for mine, theirs in sets.items()}
    alone = list(map(schema.remove_source, table["image_id"], table["source"]))
    source = [in_second.get(name, name) for name in table["source"]]
    return pd.concat([table, table.assign(image_id=alone, source=source)])


def _touched(model: Measured, group_of: pd.Series, names: pd.DataFrame) -> set[int]:
    """Groups that hold a photograph that the model was taught, or set by."""
    touched = set(group_of.loc[model.evaluation.table.loc[~model.is_test, "image_id"]])
    if model.taught is not None:
        touched |= set(group_of.loc[names.index[model.taught.holds(names)]])
    return touched


def _notes(
    models: tuple[Measured, Measured],
    tests: Sequence[pd.DataFrame],
    group_of: pd.Series,
    touched: Sequence[set[int]],
    num_unlike: int,
    num_kept: int,
) -> tuple[str, ...]:
    """What the comparison leaves out, in sentences; empty where there is nothing to say."""
    notes = []
    if not num_kept == len(tests[0]) == len(tests[1]):
        of_each = " and ".join(
            f"{len(test):,} of “{model.card.model_id}”"
            for model, test in zip(models, tests, strict=True)
        )
        notes.append(f"Of the test photographs ({of_each}) {num_kept:,} can be compared.")
    if num_unlike:
        notes.append(f"{num_unlike:,} have two diagnoses.")
    for test, mine, taught_to, other in (
        (tests[0], models[0], touched[1], models[1]),
        (tests[1], models[1], touched[0], models[0]),
    ):
        num_known = int(group_of[test.index].isin(taught_to).sum())
        if num_known:
            notes.append(
                f"“{other.card.model_id}” was taught or set by lesions of {num_known:,} test "
                f"photographs of “{mine.card.model_id}”; they are left out."
            )
    # Divided alike, each held out what the other did.
    if models[0].card.split_sha256 != models[1].card.split_sha256:
        notes += [
            f"Of “{model.card.model_id}” it is not known in full which lesions it was taught; "
            "those of its own test are taken as new to it."
            for model in models
            if model.taught is None or not model.taught.is_whole
        ]
    return tuple(notes)


def _rows(model: Measured, image_ids: pd.Index) -> Evaluation:
    """The evaluation of these photographs, in this order."""
    measured = model.evaluation.where(model.is_test)
    order = pd.Index(measured.table["image_id"]).get_indexer(image_ids)
    return Evaluation(measured.table.iloc[order].reset_index(drop=True), measured.y_prob[order])
