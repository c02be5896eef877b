"""The test photographs on which two models can be compared.

Those that both were evaluated on, with the same diagnosis, and of whose lesion neither has used any
photograph for training or validation; otherwise the model that knows the lesion has an advantage.
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
class EvaluatedModel:
    """A model with its whole evaluation and its training ids."""

    card: Card
    card_sha256: str
    evaluation: Evaluation
    training_ids: TrainingIds
    num_bytes: int  # of the files that answer: the graph and the dense layer

    @property
    def is_test(self) -> NDArray[np.bool_]:
        """(N,) True where a photograph of the evaluation is in the test split."""
        return np.asarray(self.evaluation.table["split"] == "test")


@dataclass(frozen=True)
class SharedTest:
    """Two models' evaluations of the same photographs, row by row, in the order of the ids."""

    first: Evaluation
    second: Evaluation
    groups: NDArray[np.int64]  # (N,) both models' groups joined; resampled as a whole
    is_whole: bool  # False: one of the models has more test photographs
    notes: tuple[str, ...]  # what was left out and why, and what is not known


def read(models_dir: Path, model_id: str) -> EvaluatedModel:
    """A model, with every file checked.

    Raises:
        ModelError: there is no such model, or a file of it is damaged.
    """
    card, card_sha256, contents = store.read_files(store.model_dir(models_dir, model_id))
    return EvaluatedModel(
        card,
        card_sha256,
        evaluate.from_json(contents["evaluation.json"]),
        training_ids.from_bytes(contents[store.TRAINING_IDS]),
        len(contents["network.tflite"]) + len(contents["head.npz"]),
    )


def shared_test(first: EvaluatedModel, second: EvaluatedModel) -> SharedTest:
    """The test photographs that both models can be compared on.

    Raises:
        ModelError: there are none.
    """
    name_in_first = _names_in_first(first, second)
    second = _renamed(first, second, name_in_first)
    group_of = _groups(first, second)
    ids = _ids_by_either(first, second, name_in_first)
    tests = [
        model.evaluation.table[model.is_test].set_index("image_id") for model in (first, second)
    ]
    both = tests[0].index.intersection(tests[1].index).sort_values()
    is_alike = (tests[0].loc[both, "diagnosis"] == tests[1].loc[both, "diagnosis"]).to_numpy()
    # A group with one photograph that either model knows is left out as a whole.
    known = [_known_groups(model, group_of, ids) for model in (first, second)]
    is_clean = ~group_of[both].isin(known[0] | known[1]).to_numpy()
    image_ids = both[is_alike & is_clean]
    notes = _notes((first, second), tests, group_of, known, int((~is_alike).sum()), len(image_ids))
    if len(image_ids) == 0:
        raise ModelError(
            f"“{second.card.model_id}” and “{first.card.model_id}” share no test photographs with "
            f"the same diagnoses, so they cannot be compared. {' '.join(notes)} Train the "
            "candidate with the data and the split file of the model in use."
        )
    return SharedTest(
        _rows(first, image_ids),
        _rows(second, image_ids),
        group_of[image_ids].to_numpy(dtype=np.int64),
        len(image_ids) == len(tests[0]) == len(tests[1]),
        notes,
    )


def _names_in_first(first: EvaluatedModel, second: EvaluatedModel) -> dict[str, str]:
    """The first model's name of each data set that the second one was evaluated on.

    Data sets with the same SHA-256 are one, whatever their names; of the others those with the
    same name, because a data set may have grown.
    """
    in_first, in_second = (set(model.evaluation.table["source"]) for model in (first, second))
    sha256 = [{use.name: use.sha256 for use in model.card.datasets} for model in (first, second)]
    pairs = [
        (
            name in sha256[1] and sha256[1][name] == sha256[0].get(other),
            name == other,
            name,
            other,
        )
        for name, other in itertools.product(in_second, in_first)
    ]
    matches: dict[str, str] = {}
    for has_same_bytes, has_same_name, name, other in sorted(pairs, reverse=True):
        is_free = name not in matches and other not in matches.values()
        if is_free and (has_same_bytes or has_same_name):
            matches[name] = other
    # Another data set may have this name in the first model.
    unmatched = {
        name: f"{name} of {second.card.model_id}" if name in in_first else name
        for name in in_second
    }
    return unmatched | matches


def _renamed(
    first: EvaluatedModel, second: EvaluatedModel, name_in_first: Mapping[str, str]
) -> EvaluatedModel:
    """The second model with the first one's names of photographs and data sets.

    An id starts with the data set's name only where another set of the same run has the same id.
    The same id in two data sets means two photographs, except for ISIC archive numbers.
    """
    table = first.evaluation.table
    ids_in_first: dict[tuple[str, str], str] = {
        (source, schema.remove_source(image_id, source)): image_id
        for image_id, source in zip(table["image_id"], table["source"], strict=True)
    }

    def renamed(image_id: str, source: str) -> str:
        plain_id = schema.remove_source(image_id, source)
        if class_folders.is_archive_id(plain_id):
            return plain_id
        name = name_in_first[source]
        return ids_in_first.get((name, plain_id), schema.add_source(plain_id, name))

    table = second.evaluation.table
    ids = [renamed(*row) for row in zip(table["image_id"], table["source"], strict=True)]
    table = table.assign(image_id=ids, source=table["source"].map(name_in_first))
    return dataclasses.replace(second, evaluation=Evaluation(table, second.evaluation.y_prob))


def _groups(first: EvaluatedModel, second: EvaluatedModel) -> pd.Series:
    """The group of each photograph of both evaluations by its id, with both groupings joined."""
    table = pd.concat([first.evaluation.table, second.evaluation.table], ignore_index=True)
    ids = list(dict.fromkeys(table["image_id"]))
    place_of = {image_id: place for place, image_id in enumerate(ids)}
    places = table["image_id"].map(place_of)
    owner = np.repeat([0, 1], [len(first.evaluation), len(second.evaluation)])
    together: list[Sequence[int]] = list(places.groupby([owner, table["group_id"]]).agg(tuple))
    together += list(places.groupby(table["lesion_id"]).agg(tuple))  # drops missing lesion ids
    groups = np.empty(len(ids), np.int64)
    for number, members in enumerate(row_groups.connected(len(ids), together)):
        groups[list(members)] = number
    return pd.Series(groups, index=ids)


def _ids_by_either(
    first: EvaluatedModel, second: EvaluatedModel, name_in_first: Mapping[str, str]
) -> pd.DataFrame:
    """The columns that `TrainingIds.holds` needs, twice per photograph; indexed by image id.

    Once with the first model's names, once with the second one's: training ids of the second
    model were made with its own names of the data sets.
    """
    table = pd.concat([first.evaluation.table, second.evaluation.table])
    table = table.set_index("image_id", drop=False)
    name_in_second = {theirs: own for own, theirs in name_in_first.items()}
    plain_ids = list(map(schema.remove_source, table["image_id"], table["source"]))
    source = [name_in_second.get(name, name) for name in table["source"]]
    return pd.concat([table, table.assign(image_id=plain_ids, source=source)])


def _known_groups(model: EvaluatedModel, group_of: pd.Series, ids: pd.DataFrame) -> set[int]:
    """Groups with a photograph that the model used for training or validation."""
    used = set(group_of.loc[model.evaluation.table.loc[~model.is_test, "image_id"]])
    return used | set(group_of.loc[ids.index[model.training_ids.holds(ids)]])


def _notes(
    models: tuple[EvaluatedModel, EvaluatedModel],
    tests: Sequence[pd.DataFrame],
    group_of: pd.Series,
    known: Sequence[set[int]],
    num_unlike: int,
    num_compared: int,
) -> tuple[str, ...]:
    """What the comparison leaves out, in sentences; empty where there is nothing to say."""
    notes = []
    if not num_compared == len(tests[0]) == len(tests[1]):
        totals = ", ".join(
            f"{len(test):,} of “{model.card.model_id}”"
            for model, test in zip(models, tests, strict=True)
        )
        notes.append(f"{num_compared:,} of the test photographs ({totals}) can be compared.")
    if num_unlike:
        notes.append(f"Left out: {num_unlike:,} with two different diagnoses.")
    for test, own, known_to_other, other in (
        (tests[0], models[0], known[1], models[1]),
        (tests[1], models[1], known[0], models[0]),
    ):
        num_known = int(group_of[test.index].isin(known_to_other).sum())
        if num_known:
            notes.append(
                f"Left out: {num_known:,} test photographs of “{own.card.model_id}” whose lesions "
                f"“{other.card.model_id}” was trained or validated on."
            )
    # With the same split, each model held out the same lesions.
    if models[0].card.split_sha256 != models[1].card.split_sha256:
        notes += [
            f"The training lesions of “{model.card.model_id}” are not fully known; its own test "
            "lesions are assumed to be new to it."
            for model in models
            if not model.training_ids.is_whole
        ]
    return tuple(notes)


def _rows(model: EvaluatedModel, image_ids: pd.Index) -> Evaluation:
    """The evaluation of these photographs, in this order."""
    test = model.evaluation.where(model.is_test)
    order = pd.Index(test.table["image_id"]).get_indexer(image_ids)
    return Evaluation(test.table.iloc[order].reset_index(drop=True), test.y_prob[order])
