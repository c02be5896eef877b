"""One run from its plan to a candidate: plan → data → network → candidate.

A recipe (`full`, `head`, `ensemble`, `recalibrate`) supplies the network and nothing else. Its
`settle` gives the settings in force and refuses, before a photograph is read, what cannot work; its
`make` gives the network.
"""

import dataclasses
import os
from pathlib import Path
from types import ModuleType

from melanoma_core import paths
from melanoma_core.models.cards import Card
from melanoma_core.runs import lifecycle, plans, provenance, training_data
from melanoma_core.runs.plans import RunPlan
from melanoma_core.training import candidates
from melanoma_core.training.recipes import Report


def run(
    plan: RunPlan,
    run_dir: Path,
    models_dir: Path | None = None,
    report: Report = print,
    author: str | None = None,
) -> Card:
    """Carry out a plan; a run that was stopped resumes after its last finished epoch.

    Args:
        plan: settings, data and recipe.
        run_dir: the run's own folder; its name becomes the model's id.
        models_dir: where the parents are and the candidate goes; `paths.models_dir()` by default.
        report: is given the run's messages, a line each.
        author: who asked for it, for the journal; the system's user name by default.

    Returns:
        The card of the candidate. It answers nobody before it is promoted.

    Raises:
        RunStopped: the run was asked to stop.
        RunError: the folder holds another run or another process is at work in it, another
            training is running, the settings or parents do not fit together, a parent was trained
            on what is to be measured, or a file cannot be read or written (a full disk).
        DatasetError: the data cannot be read, or do not suffice.
        ModelError: a parent is damaged, a model of this name exists, or no model can have it.
    """
    directory = models_dir or paths.models_dir()
    return lifecycle.carry_out(
        plan, run_dir, directory, lambda: _make(plan, run_dir, directory, report), author
    )


def _make(plan: RunPlan, run_dir: Path, models_dir: Path, report: Report) -> Card:
    recipe = _recipe(plan.recipe)
    parents = [provenance.read(models_dir, model_id) for model_id in plan.parents]
    plan = dataclasses.replace(plan, config=recipe.settle(plan, parents))
    data = training_data.read(plan, run_dir, parents, plan.config.image_size)
    for note in data.notes:
        report(note)
    made = recipe.make(plan, data, parents, run_dir, report)
    plans.write_status(run_dir, "measuring")
    report("Measuring the network on the photographs that were held out.")
    return candidates.add(made, plan, data, parents, run_dir, models_dir)


def _recipe(name: str) -> ModuleType:
    """The module of a recipe; `full` and `ensemble` load TensorFlow, which takes seconds."""
    if name == "head":
        from melanoma_core.training import head

        return head
    # TensorFlow's notes on processors and threads would bury the run's own lines.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if name == "recalibrate":
        from melanoma_core.training import recalibrate

        return recalibrate
    if name == "ensemble":
        from melanoma_core.training import ensemble

        return ensemble
    from melanoma_core.training import full

    return full
