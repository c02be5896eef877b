"""The command line: `python -m melanoma_core COMMAND`.

Imports stand inside the commands: `assess` answers in a fraction of the time that loading
TensorFlow, which only `train` needs, would take.
"""

import contextlib
import dataclasses
import json
import math
import os
import signal
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import click

from melanoma_core import paths
from melanoma_core.data import balance, schema
from melanoma_core.errors import DatasetError, ImageError, MelanomaError, ModelError
from melanoma_core.images import augmentations
from melanoma_core.models import network_table
from melanoma_core.runs import configs, plans

_DEFAULTS = configs.TrainConfig()
_DEFAULT_SOFT_SHARE = 0.5
# Where nothing is taught; beside the option itself that says so.
_HEEDED_UNTAUGHT = {
    "dataset_paths", "splits", "split_by", "seed", "as_they_are", "from_model", "run_dir", "by",
}  # fmt: skip


class _Commands(click.Group):
    """Shows an error that the user can mend as a message, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except MelanomaError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Commands)
def main() -> None:
    """Assess dermoscopic photographs, train and compare models.

    Research and education; not a medical device; the decision is the clinician's.
    """


@main.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--model", "model_id", help="Id of a model; the one in use by default.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, in order.")
def assess(images: tuple[Path, ...], model_id: str | None, as_json: bool) -> None:
    """Assess photographs, each on its own; exit code 2 when one was refused."""
    model = _load(model_id)
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
        click.echo(json.dumps(record) if as_json else _in_words(record))
    if not as_json:
        click.echo(model.card.intended_use, err=True)
    if num_refused:
        sys.exit(2)


def _load(model_id: str | None) -> Any:
    from melanoma_core.models import predict, store

    if model_id is not None:
        return predict.load(store.model_dir(paths.models_dir(), model_id))
    model, problem = predict.load_champion(paths.models_dir())
    if problem:
        click.echo(f"{problem} The previous model, {model.card.model_id}, answers.", err=True)
    return model


def _assess_one(model: Any, path: Path) -> dict[str, Any]:
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


def _in_words(record: dict[str, Any]) -> str:
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


@main.command()
@click.option(
    "--dataset",
    "dataset_paths",
    multiple=True,
    type=click.Path(exists=True),
    help="Folder or zip: class folders, HAM10000 or an ISIC challenge. Repeatable.",
)
@click.option("--splits", type=click.Path(exists=True), help="CSV: image_id, group_id, split.")
@click.option("--weights", type=click.Path(exists=True), help="ImageNet weights of the backbone.")
@click.option("--from-model", help="Id of a model to go on from, instead of --weights.")
@click.option(
    "--run-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the run; give it again to go on with a run that was stopped.",
)
@click.option(
    "--network",
    type=click.Choice(list(network_table.NETWORKS)),
    default=_DEFAULTS.network,
    show_default=True,
)
@click.option("--image-size", type=int, help="Pixels a side; the network's usual by default.")
@click.option("--epochs", type=int, default=_DEFAULTS.epochs, show_default=True)
@click.option("--batch-size", type=int, default=_DEFAULTS.batch_size, show_default=True)
@click.option("--learning-rate", type=float, default=_DEFAULTS.learning_rate, show_default=True)
@click.option(
    "--balance",
    metavar=f"[{'|'.join(balance.BALANCE_POWERS)}|floor:N]",
    default=_DEFAULTS.balance,
    show_default=True,
    help="How much of each class is taught; floor:N brings rare classes to N photographs.",
)
@click.option(
    "--balance-by",
    type=click.Choice(list(balance.BALANCE_METHODS)),
    default=_DEFAULTS.balance_by,
    show_default=True,
    help="Draw rare classes more, add further views of them, or weigh them more in the loss.",
)
@click.option(
    "--init-weight",
    type=float,
    default=_DEFAULTS.init_weight,
    show_default=True,
    help="Share of --from-model's weights in the mean that is kept.",
)
@click.option(
    "--augment",
    type=click.Choice(list(augmentations.AUGMENTATIONS)),
    default="strong",
    show_default=True,
    help="How far training photographs are changed.",
)
@click.option(
    "--mixup",
    type=float,
    default=_DEFAULTS.mixup,
    show_default=True,
    help="Blend pairs of photographs, by a share from Beta(mixup, mixup); 0: off.",
)
@click.option(
    "--teacher-probs",
    type=click.Path(exists=True, dir_okay=False),
    help="CSV: image_id and the probabilities that networks give which never saw the photograph.",
)
@click.option(
    "--distill-weight",
    type=float,
    help="Share of --teacher-probs in what is taught, the diagnosis the rest; 0.5 by default.",
)
@click.option(
    "--class-weights",
    is_flag=True,
    help="Weigh rare classes more in the loss instead of drawing them more; sets --balance none.",
)
@click.option("--seed", type=int, default=_DEFAULTS.seed, show_default=True)
@click.option(
    "--split-by",
    type=click.Choice(plans.SPLIT_WAYS),
    default="given",
    show_default=True,
    help="As the sets have it, the rest drawn by lesion; all drawn; or as it was for --from-model, "
    "by default of --quick, --join and --recalibrate.",
)
@click.option(
    "--clamp-color-cast",
    is_flag=True,
    help="Bring color casts stronger than those of the training photographs back to them.",
)
@click.option(
    "--no-clean",
    is_flag=True,
    help="Teach the files as they are, not the data doctor's clean table.",
)
@click.option(
    "--quick",
    is_flag=True,
    help="A new last layer on the network of --from-model, by default the model in use.",
)
@click.option(
    "--join",
    "joined_with",
    metavar="MODEL",
    help="Put this model's network beside that of --from-model, one vote each; nothing is learned.",
)
@click.option(
    "--recalibrate",
    is_flag=True,
    help="Calibrate and measure --from-model anew, its weights as they are; nothing is learned.",
)
@click.option("--by", help="Your name, for the journal; that of your user by default.")
def train(
    dataset_paths: tuple[str, ...],
    splits: str | None,
    weights: str | None,
    from_model: str | None,
    run_dir: Path | None,
    image_size: int | None,
    augment: str,
    split_by: str,
    as_they_are: bool,
    quick: bool,
    joined_with: str | None,
    recalibrate: bool,
    soft_targets: str | None,
    distill_weight: float | None,
    by: str | None,
    **settings: Any,
) -> None:
    """Train a network and leave a candidate in models/."""
    if run_dir is not None and (run_dir / "config.json").exists() and not dataset_paths:
        unheard = _unheard({"run_dir", "by"})
        if unheard:
            raise click.UsageError(
                f"The run “{run_dir.name}” goes on with the settings that it was started with, so "
                f"{unheard} would change nothing. Leave out all but --run-dir, or start a run in "
                "another folder."
            )
        plan = plans.read_plan(run_dir)
    elif not dataset_paths:
        raise click.UsageError("Name at least one data set, or the --run-dir of a stopped run.")
    else:
        if image_size is None:
            image_size = network_table.NETWORKS[settings["network"]].image_size
        if distill_weight is None:
            distill_weight = 0.0 if soft_targets is None else _DEFAULT_SOFT_SHARE
        settings["distill_weight"] = distill_weight
        if settings["class_weights"] and "balance" not in _given():
            settings["balance"] = "none"
        if joined_with is not None:
            _check_untaught("joined_with", "puts two networks side by side as they are", from_model)
        elif recalibrate:
            does = "leaves the weights of a model as they are"
            _check_untaught("recalibrate", does, from_model, {"clamp_color_cast"})
        elif quick:
            does = "makes a new last layer for the network of a model"
            _check_heeded("quick", does, {*_HEEDED_UNTAUGHT, "quick", "balance", "balance_by"})
            from_model, settings["network"], image_size = _quick(from_model)
        # None teaches a network anew: what those models were taught cannot be measured on.
        keeps_network = quick or recalibrate or joined_with is not None
        if keeps_network and "split_by" not in _given() and splits is None:
            split_by = "model"
        plan = plans.RunPlan(
            configs.TrainConfig(
                image_size=image_size, augment=augmentations.AUGMENTATIONS[augment], **settings
            ),
            tuple(str(Path(path).resolve()) for path in dataset_paths),
            str(Path(splits).resolve()) if splits else None,
            str(Path(weights).resolve()) if weights else None,
            from_model,
            is_cleaned=not as_they_are,
            split_by=split_by,
            is_quick=quick,
            joined_with=joined_with,
            soft_targets=str(Path(soft_targets).resolve()) if soft_targets else None,
            is_recalibration=recalibrate,
        )
    if run_dir is None:
        run_dir = paths.runs_dir() / plans.new_id(plan)
    click.echo(f"Run {run_dir.name}; stop it with Ctrl-C, go on with --run-dir {run_dir}")

    from melanoma_core.runs import lifecycle

    models_dir = paths.models_dir()

    def work() -> Any:
        if plan.is_quick:
            from melanoma_core.training import train_head

            return train_head.make(plan, run_dir, models_dir, click.echo)
        # TensorFlow's notes on processors and threads would drown the run's own lines.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        if plan.is_recalibration:
            from melanoma_core.training import recalibrate

            return recalibrate.make(plan, run_dir, models_dir, click.echo)
        # Only now: what is wrong with the options, or with another training that is running, is
        # answered at once, not after TensorFlow has loaded.
        if plan.joined_with is not None:
            from melanoma_core.training.ensemble import make
        else:
            from melanoma_core.training.train import make
        return make(plan, run_dir, models_dir, click.echo)

    with _ended_like_ctrl_c():
        card = lifecycle.carry_out(plan, run_dir, models_dir, work, by)
    click.echo(f"Candidate {card.model_id}; figures on the test split:")
    _print_figures(card.figures)
    click.echo(f"Put it into use with: python -m melanoma_core promote {card.model_id}")


def _check_untaught(
    option: str, does: str, from_model: str | None, heeded: Collection[str] = ()
) -> None:
    """Refuse what an option that teaches nothing does not heed, before anything is made."""
    if from_model is None:
        raise click.UsageError(
            f"{_written()[option]} {does}, and no model is named. Name the model with --from-model."
        )
    _check_heeded(option, does, {*_HEEDED_UNTAUGHT, *heeded, option})


def _check_heeded(option: str, does: str, heeded: Collection[str]) -> None:
    """Refuse what would change nothing beside `option`."""
    unheard, written = _unheard(heeded), _written()[option]
    if unheard:
        raise click.UsageError(
            f"{written} {does}, so {unheard} would change nothing. Leave out what is named here, "
            f"or leave out {written}."
        )


def _quick(from_model: str | None) -> tuple[str, str, int]:
    """Model, network and image size of a quick training."""
    from melanoma_core.models import store

    if from_model is None:
        in_use = store.champion(paths.models_dir())
        if in_use is None:
            raise ModelError("No model is in use yet. Name one with --from-model.")
        from_model = in_use.model_id
    found = store.read_card(store.model_dir(paths.models_dir(), from_model))
    return from_model, found.network, found.image_size


@contextlib.contextmanager
def _ended_like_ctrl_c() -> Iterator[None]:
    """Have a process that is told to end raise KeyboardInterrupt, so that it can say so."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _given() -> list[str]:
    """Names of the options that the user gave to this command, rather than left as they are."""
    ctx = click.get_current_context()
    default = click.core.ParameterSource.DEFAULT
    return [name for name in ctx.params if ctx.get_parameter_source(name) is not default]


def _unheard(heeded: Collection[str]) -> str:
    """The options that the user gave but for these, as they are written; may be empty."""
    written = _written()
    return ", ".join(written[name] for name in _given() if name not in heeded)


def _written() -> dict[str, str]:
    """The options of this command by name, as they are written."""
    params = click.get_current_context().command.params
    return {param.name: param.opts[0] for param in params if param.name}


@main.command()
@click.option(
    "--dataset",
    "dataset_paths",
    multiple=True,
    required=True,
    type=click.Path(exists=True),
    help="As for train. Repeatable.",
)
@click.option(
    "--splits",
    "splits_path",
    type=click.Path(exists=True),
    help="CSV, as for train; without it the splits are those that the model was measured on.",
)
@click.option(
    "--split",
    type=click.Choice([*schema.SPLITS, "all"]),
    default="test",
    show_default=True,
    help="all: for photographs that the model has never seen; train needs --splits.",
)
@click.option("--model", "model_id", help="Id of a model; the one in use by default.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def evaluate(
    dataset_paths: tuple[str, ...],
    splits_path: str | None,
    split: str,
    model_id: str | None,
    as_json: bool,
) -> None:
    """Measure a model on photographs whose diagnosis is known."""
    if split == "train" and not splits_path:
        raise click.UsageError("--split train needs --splits: a model keeps no list of these.")
    from melanoma_core.data import datasets, splits
    from melanoma_core.evaluation import evaluate as evaluation
    from melanoma_core.metrics import calibration

    model = _load(model_id)
    evaluation.check_diagnoses(model)
    table = datasets.combine([datasets.read(Path(path)) for path in dataset_paths]).table
    if splits_path:
        table = splits.apply_file(table, Path(splits_path))
        if split != "all":
            table = table[table["split"] == split]
    elif split == "all":
        table = splits.assign(table)  # for its group_id: every photograph is measured
    else:
        table = _measured_before(model, table, split)
    logits, rows, refused = evaluation.score(model.network, table)
    for reason in refused:
        click.echo(reason, err=True)
    measured = evaluation.evaluation(
        rows, calibration.probabilities(logits, model.card.temperature)
    )
    figures = evaluation.figures_by_source(
        measured, model.card.class_counts["train"], model.card.operating_point().threshold
    )
    if as_json:
        click.echo(json.dumps(_evaluation_record(model, split, figures, refused)))
    else:
        _print_figures(figures)


def _measured_before(model: Any, table: Any, split: str) -> Any:
    """The rows that the model's own evaluation has in this split, with its groups and lesions.

    A new draw would hold photographs that the model was taught.
    """
    from melanoma_core.evaluation import evaluate as evaluation
    from melanoma_core.models import store

    directory = store.model_dir(paths.models_dir(), model.card.model_id)
    _, _, contents = store.read_files(directory)
    known = evaluation.from_json(contents["evaluation.json"]).table.set_index("image_id")
    known = known[known["split"] == split]
    kept = table[table["image_id"].isin(known.index)]
    if kept.empty:
        raise DatasetError(
            f"None of these {len(table):,} photographs is in the {split} split of "
            f"{model.card.model_id}. Name data that it was made with, or choose --split all, "
            "which measures photographs that the model has never seen."
        )
    of_model = known.loc[kept["image_id"]]
    return kept.assign(
        split=split,
        group_id=of_model["group_id"].to_numpy(),
        lesion_id=of_model["lesion_id"].to_numpy(),
    )


def _evaluation_record(
    model: Any, split: str, figures: dict[str, Any], refused: list[str]
) -> dict[str, Any]:
    from melanoma_core.metrics import estimates

    return {
        "model_id": model.card.model_id,
        "split": split,
        "threshold": model.card.operating_point().threshold,
        "figures": {
            source: {name: estimates.to_record(figure) for name, figure in part.items()}
            for source, part in figures.items()
        },
        "refused": refused,
        "intended_use": model.card.intended_use,
    }


def _print_figures(figures: dict[str, Any]) -> None:
    for source, part in figures.items():
        first = next(iter(part.values()))
        click.echo(f"{source}: {first.num_photographs} photographs, {first.num_lesions} lesions")
        for name, figure in part.items():
            click.echo(f"  {name:<18} {_shown(figure)}")


def _shown(figure: Any) -> str:
    """The figure with its interval; what is not defined as "n/a"."""
    value, low, high = (
        "n/a" if math.isnan(number) else f"{number:.3f}"
        for number in (figure.value, figure.low, figure.high)
    )
    return f"{value} ({low} to {high})"


@main.command()
@click.argument("dataset_path", metavar="DATASET", type=click.Path(path_type=Path))
@click.option(
    "--reference",
    "reference_paths",
    multiple=True,
    metavar="DATASET",
    type=click.Path(path_type=Path),
    help="A set that knows some of the same image ids, such as HAM10000. Repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def audit(dataset_path: Path, reference_paths: tuple[Path, ...], as_json: bool) -> None:
    """Find copies, contradictions and leaks in a data set; exit code 2 when it was refused."""
    from melanoma_core.audit import audits, reports
    from melanoma_core.data import datasets

    try:
        dataset = datasets.read(dataset_path)
        references = [datasets.read(path) for path in reference_paths]
    except DatasetError as error:
        click.echo(str(error), err=True)
        if as_json:
            click.echo(json.dumps({"dataset": dataset_path.name, "error": str(error)}))
        sys.exit(2)
    num_photographs = len(dataset.table)
    with click.progressbar(length=num_photographs, label="Photographs", file=sys.stderr) as bar:
        found = audits.audit(dataset, references, lambda *_: bar.update(1))
    cleaned = audits.clean(dataset, found.findings)
    if as_json:
        click.echo(json.dumps(reports.record(found, *cleaned)))
        return
    for line in reports.lines(found, *cleaned):
        click.echo(line)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def models(as_json: bool) -> None:
    """List the models, newest first; the one in use is marked."""
    from melanoma_core.models import store

    in_use = store.champion(paths.models_dir())
    cards, problems = store.list_cards(paths.models_dir())
    for problem in problems:
        click.echo(problem, err=True)
    if not cards and not problems:
        click.echo("There are no models yet. Train one: python -m melanoma_core train", err=True)
    for card in cards:
        is_in_use = in_use is not None and in_use.model_id == card.model_id
        if as_json:
            record = {**json.loads(card.to_json()), "in_use": is_in_use}
            click.echo(json.dumps(record))
            continue
        click.echo(
            f"{'*' if is_in_use else ' '} {card.model_id}  {card.network} {card.image_size} px  "
            f"melanoma AUROC {_shown(card.figures['all']['melanoma_auroc'])}"
        )


@main.command()
@click.argument("model_id", required=False)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write, such as docs/model-card.md; the screen by default.",
)
def card(model_id: str | None, output: Path | None) -> None:
    """Write a model's card as a document; that of the model in use by default."""
    from melanoma_core.evaluation import evaluate as evaluation
    from melanoma_core.evaluation import model_cards
    from melanoma_core.models import store

    if model_id is None:
        in_use = store.champion(paths.models_dir())
        if in_use is None:
            raise ModelError("No model is in use yet. Put one into use, or name a model.")
        model_id = in_use.model_id
    directory = store.model_dir(paths.models_dir(), model_id)
    found, card_sha256, contents = store.read_files(directory)
    measured = evaluation.from_json(contents["evaluation.json"])
    text = model_cards.document(found, measured, card_sha256)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        paths.write_atomic(output, text.encode())
    except OSError as error:
        raise ModelError(
            f"{output.name} cannot be written: {error.strerror}. Name a file in a folder that is "
            "there and that you may write to."
        ) from error
    click.echo(f"The card of {model_id} stands in {output.name}.", err=True)


@main.command()
@click.option(
    "--verify",
    is_flag=True,
    help="Look for rows that were changed, write nothing; exit code 2 if any.",
)
@click.option(
    "--noted",
    metavar="SHA256",
    help="With --verify: what an earlier check gave; finds out a journal that was written anew.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def journal(verify: bool, noted: str | None, as_json: bool) -> None:
    """List who trained, promoted and rolled back what, and when; oldest first."""
    from melanoma_core.evaluation import promotion
    from melanoma_core.models import journal as rows

    models_dir = paths.models_dir()
    check = rows.verify(models_dir, noted)  # before anything is written behind a gap
    if verify or noted:
        _tell_check(_with_lost_rows(check, models_dir), as_json)
        return
    for problem in check.problems:
        click.echo(problem, err=True)
    if not check.problems:
        promotion.settle(models_dir)  # what a killed process could not write down
    for row in rows.rows(models_dir):
        click.echo(json.dumps(rows.record(row)) if as_json else _row_in_words(row))


def _with_lost_rows(check: Any, models_dir: Path) -> Any:
    """The check of the journal, with what champion.json says against it."""
    from melanoma_core.evaluation import promotion

    try:
        problems = promotion.lost_rows(models_dir)
        newest = promotion.unwritten(models_dir)
    except ModelError as error:  # what the journal itself says is told all the same
        problems, newest = (str(error),), None
    if newest is not None:
        click.echo(
            f"“{newest.model_id}” was {newest.kind} at {newest.since}, which has no row yet: its "
            "process was killed before it wrote one, or the row was deleted. The next change, or "
            "this command without --verify, writes it down.",
            err=True,
        )
    return dataclasses.replace(check, problems=(*check.problems, *problems))


def _tell_check(check: Any, as_json: bool) -> None:
    """What was found; exit code 2 where there are problems."""
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(check)))
    else:
        for problem in check.problems:
            click.echo(problem)
        if not check.problems:
            click.echo(
                f"{check.num_rows} rows, none changed. Note elsewhere, to find out even a "
                f"journal that was written anew: {check.sha256}"
            )
    if check.problems:
        sys.exit(2)


def _row_in_words(row: Any) -> str:
    event = row.event
    parts = [event.when, event.kind, event.model_id or event.run_id, f"by {event.who}"]
    return "  ".join(filter(None, (*parts, event.reason)))


@main.command()
@click.argument("model_id")
@click.option("--by", default="", metavar="NAME", help="Who does it, for the journal.")
@click.option(
    "--overrule",
    "reason",
    metavar="REASON",
    help="Put it into use although it may be worse; the reason stays with the model.",
)
def promote(model_id: str, by: str, reason: str | None) -> None:
    """Put a model into use, if it is shown to be no worse than the one in use."""
    from melanoma_core.evaluation import promotion

    promoted = promotion.promote(
        paths.models_dir(), model_id, by=by, reason=reason or "", overrules=reason is not None
    )
    for problem in promoted.problems:
        click.echo(problem, err=True)
    if promoted.comparison is not None:
        click.echo(str(promoted.comparison))
    elif not promoted.in_use.against:
        why = (
            "none of the models that were in use is sound"
            if promoted.problems
            else ("no model was in use")
        )
        click.echo(f"Not compared: {why}, so {model_id} comes into use as a first model.")
    if promoted.in_use.against:
        click.echo(f"Overruled: {promoted.in_use.against}")
    click.echo(f"{promoted.in_use.model_id} is in use since {promoted.in_use.since}.")


@main.command()
@click.argument("model_id", required=False)
@click.option("--by", default="", metavar="NAME", help="Who does it, for the journal.")
@click.option("--reason", default="", help="Why, for the journal.")
def rollback(model_id: str | None, by: str, reason: str) -> None:
    """Go back to one of the last five models; to the one before by default."""
    from melanoma_core.evaluation import promotion

    newest, problems = promotion.roll_back(paths.models_dir(), model_id, by=by, reason=reason)
    for problem in problems:
        click.echo(problem, err=True)
    click.echo(f"{newest.model_id} is in use since {newest.since}.")


if __name__ == "__main__":
    main(prog_name="python -m melanoma_core")
