"""Commands that end in a candidate: `train`, `train-head`, `ensemble`, `recalibrate`, `resume`."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from melanoma_core import paths
from melanoma_core.cli import output
from melanoma_core.data import balance
from melanoma_core.errors import ModelError
from melanoma_core.images import augmentations
from melanoma_core.models import network_table
from melanoma_core.runs import configs, plans
from melanoma_core.runs.configs import TrainConfig
from melanoma_core.runs.plans import RunPlan

_DEFAULTS = configs.TrainConfig()
_DEFAULT_DISTILL_WEIGHT = 0.5
_Command = TypeVar("_Command", bound=Callable[..., None])


def _options(*options: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    """Several options as one decorator, in the order in which `--help` lists them."""

    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


_DATA_OPTIONS = (
    click.option(
        "--dataset",
        "datasets",
        multiple=True,
        required=True,
        type=click.Path(exists=True),
        help="Folder or zip: class folders, HAM10000, an ISIC challenge or ISIC Archive set. "
        "Repeatable.",
    ),
    click.option(
        "--non-lesions",
        type=click.Path(exists=True, file_okay=False),
        help="Folder of pictures that show no lesion, to refuse such besides those drawn by code.",
    ),
    click.option(
        "--splits",
        type=click.Path(exists=True),
        help="CSV with image_id, group_id, split; takes the place of --split-by.",
    ),
    click.option(
        "--no-clean",
        is_flag=True,
        help="Train on the files as they are, not on the audit's clean table.",
    ),
    click.option(
        "--seed",
        type=int,
        default=_DEFAULTS.seed,
        show_default=True,
        help="Same data, settings, seed and machine: same weights.",
    ),
)
_RUN_OPTIONS = (
    click.option(
        "--run-dir",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder of the run; its name becomes the model's id.",
    ),
    click.option("--author", help="Your name, for the journal; your user name by default."),
)
_OUTLINES_OPTION = click.option(
    "--outlines",
    type=click.Path(exists=True),
    help="Folder or zip of <image_id>_segmentation.png: train a decoder that outlines the lesion.",
)
_BALANCE_OPTIONS = (
    click.option(
        "--balance",
        type=click.Choice(list(balance.BALANCE_POWERS)),
        default=_DEFAULTS.balance,
        show_default=True,
        help="How far class proportions are evened in training.",
    ),
    click.option(
        "--oversample-to",
        type=click.IntRange(1, 999_999),
        metavar="N",
        help="Instead of --balance: bring every rare class to N photographs.",
    ),
    click.option(
        "--balance-by",
        type=click.Choice(list(balance.BALANCE_METHODS)),
        default=_DEFAULTS.balance_by,
        show_default=True,
        help="Draw rare classes more often, add augmented copies, or weight the loss.",
    ),
)


def _split_by(default: str) -> Callable[[_Command], _Command]:
    return click.option(
        "--split-by",
        type=click.Choice(plans.SPLIT_METHODS),
        default=default,
        show_default=True,
        help="given: the data sets' own splits, the rest drawn by lesion; drawn: all drawn by "
        "lesion; model: as for the model it starts from, new photographs drawn by lesion.",
    )


@click.command()
@_options(*_DATA_OPTIONS, _split_by("given"))
@click.option("--weights", type=click.Path(exists=True), help="ImageNet weights of the backbone.")
@click.option("--from-model", help="Id of a model to fine-tune, instead of --weights.")
@click.option(
    "--init-weight",
    type=float,
    default=_DEFAULTS.init_weight,
    show_default=True,
    help="Weight of --from-model's weights in the mean that is kept.",
)
@click.option(
    "--network",
    type=click.Choice(list(network_table.NETWORKS)),
    default=_DEFAULTS.network,
    show_default=True,
    help="Architecture; the ensemble and the tiny ones are not for training from weights.",
)
@click.option("--image-size", type=int, help="Pixels a side; the network's usual by default.")
@click.option(
    "--epochs",
    type=int,
    default=_DEFAULTS.epochs,
    show_default=True,
    help="Passes over the training photographs.",
)
@click.option(
    "--batch-size",
    type=int,
    default=_DEFAULTS.batch_size,
    show_default=True,
    help="Photographs in a step; fewer need less memory.",
)
@click.option(
    "--learning-rate",
    type=float,
    default=_DEFAULTS.learning_rate,
    show_default=True,
    help="Peak, after the warm-up; it then falls to zero.",
)
@_options(*_BALANCE_OPTIONS)
@click.option(
    "--class-weights",
    is_flag=True,
    help="Weight the loss by class instead of balancing; sets --balance none.",
)
@click.option(
    "--augment",
    type=click.Choice(list(augmentations.AUGMENTATIONS)),
    default="strong",
    show_default=True,
    help="How strongly training photographs are augmented.",
)
@click.option(
    "--mixup",
    type=float,
    default=_DEFAULTS.mixup,
    show_default=True,
    help="Blend pairs of photographs with a weight from Beta(mixup, mixup); 0: off.",
)
@click.option(
    "--teacher-probs",
    type=click.Path(exists=True, dir_okay=False),
    help="CSV: image_id and out-of-fold probabilities of other networks, for distillation.",
)
@click.option(
    "--distill-weight",
    type=float,
    help="Weight of --teacher-probs in the targets; 0.5 by default.",
)
@click.option(
    "--clamp-color-cast",
    is_flag=True,
    help="Clamp color casts stronger than those of the training photographs.",
)
@_options(_OUTLINES_OPTION, *_RUN_OPTIONS)
def train(
    weights: str | None,
    from_model: str | None,
    network: str,
    image_size: int | None,
    augment: str,
    teacher_probs: str | None,
    distill_weight: float | None,
    class_weights: bool,
    balance: str,
    oversample_to: int | None,
    **options: Any,
) -> None:
    """Train a network and leave a candidate in models/."""
    if distill_weight is None:
        distill_weight = 0.0 if teacher_probs is None else _DEFAULT_DISTILL_WEIGHT
    if class_weights and not _is_set("balance"):
        balance = "none"
    names = (
        "epochs", "batch_size", "learning_rate", "balance_by", "mixup", "init_weight",
        "clamp_color_cast", "seed",
    )  # fmt: skip
    config = TrainConfig(
        network=network,
        image_size=image_size or network_table.NETWORKS[network].image_size,
        augment=augmentations.AUGMENTATIONS[augment],
        balance=_balance(balance, oversample_to),
        class_weights=class_weights,
        distill_weight=distill_weight,
        **{name: options[name] for name in names},
    )
    parents = (from_model,) if from_model else ()
    _run(_plan("full", config, parents, options, weights, teacher_probs), options)


@click.command("train-head")
@_options(*_DATA_OPTIONS, _split_by("model"))
@click.option(
    "--from-model", help="Id of the model whose network is kept; by default the champion."
)
@_options(*_BALANCE_OPTIONS, *_RUN_OPTIONS)
def train_head(
    from_model: str | None,
    balance: str,
    oversample_to: int | None,
    balance_by: str,
    **options: Any,
) -> None:
    """Train a new last layer on a model's network, in minutes and without TensorFlow."""
    from melanoma_core.models import store

    if from_model is None:
        champion = store.champion(paths.models_dir())
        if champion is None:
            raise ModelError("There is no champion yet. Name a model with --from-model.")
        from_model = champion.model_id
    card = store.read_card(store.model_dir(paths.models_dir(), from_model))
    config = TrainConfig(
        network=card.network,
        image_size=card.image_size,
        balance=_balance(balance, oversample_to),
        balance_by=balance_by,
        seed=options["seed"],
    )
    _run(_plan("head", config, (from_model,), options), options)


@click.command()
@click.argument("first")
@click.argument("second")
@_options(*_DATA_OPTIONS, _split_by("model"), *_RUN_OPTIONS)
def ensemble(first: str, second: str, **options: Any) -> None:
    """Combine the networks of models FIRST and SECOND with equal weights; nothing is trained.

    It is calibrated and measured on photographs that were held out from both.
    """
    config = TrainConfig(seed=options["seed"])
    _run(_plan("ensemble", config, (first, second), options), options)


@click.command()
@click.argument("model_id", metavar="MODEL")
@click.option(
    "--clamp-color-cast",
    is_flag=True,
    help="Clamp color casts stronger than those of the training photographs.",
)
@_options(_OUTLINES_OPTION, *_DATA_OPTIONS, _split_by("model"), *_RUN_OPTIONS)
def recalibrate(model_id: str, clamp_color_cast: bool, **options: Any) -> None:
    """Calibrate and measure MODEL again, its network as it is.

    Nothing is trained, but for a decoder that outlines the lesion where --outlines asks for one.
    """
    config = TrainConfig(seed=options["seed"], clamp_color_cast=clamp_color_cast)
    _run(_plan("recalibrate", config, (model_id,), options), options)


@click.command()
@click.argument("run_dir", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--author", help="Your name, for the journal; your user name by default.")
def resume(run_dir: Path, author: str | None) -> None:
    """Resume the stopped run in RUN_DIR, with the settings that it was started with."""
    _run(plans.read_plan(run_dir), {"run_dir": run_dir, "author": author})


def _balance(balance: str, oversample_to: int | None) -> str:
    if oversample_to is None:
        return balance
    if _is_set("balance"):
        raise click.UsageError(
            "--oversample-to takes the place of --balance. Leave one of them out."
        )
    return f"floor:{oversample_to}"


def _is_set(option: str) -> bool:
    """True if the user gave this option, rather than leaving the default."""
    source = click.get_current_context().get_parameter_source(option)
    return source is not click.core.ParameterSource.DEFAULT


def _plan(
    recipe: str,
    config: TrainConfig,
    parents: tuple[str, ...],
    options: dict[str, Any],
    weights: str | None = None,
    teacher_probs: str | None = None,
) -> RunPlan:
    def absolute(path: str | None) -> str | None:
        return str(Path(path).resolve()) if path else None

    return RunPlan(
        config,
        tuple(str(Path(path).resolve()) for path in options["datasets"]),
        absolute(options["splits"]),
        absolute(weights),
        recipe,
        parents,
        is_cleaned=not options["no_clean"],
        split_by=options["split_by"],
        teacher_probs=absolute(teacher_probs),
        outlines=absolute(options.get("outlines")),
        non_lesions=absolute(options["non_lesions"]),
    )


def _run(plan: RunPlan, options: dict[str, Any]) -> None:
    run_dir = options["run_dir"] or paths.runs_dir() / plans.new_id(plan)
    click.echo(f"Run {run_dir.name}. Stop it with Ctrl-C; resume it with: resume {run_dir}")
    from melanoma_core.training import pipeline

    with _sigterm_as_ctrl_c():
        card = pipeline.run(plan, run_dir, paths.models_dir(), click.echo, author=options["author"])
    click.echo(f"Candidate {card.model_id}; figures on the test split:")
    output.print_estimates(card.figures)
    click.echo(f"Promote it with: python -m melanoma_core promote {card.model_id}")


@contextlib.contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """Raise KeyboardInterrupt in a process that is told to end, so that it can write that down."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
