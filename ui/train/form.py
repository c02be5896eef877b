"""The form of a training's settings, each explained; its result is a `RunPlan`."""

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from melanoma_core import paths
from melanoma_core.images import augmentations
from melanoma_core.models import network_table, store
from melanoma_core.models.cards import Card
from melanoma_core.runs.configs import TrainConfig
from melanoma_core.runs.plans import RunPlan
from ui import uploads
from ui.formats import literal, small
from ui.serving import Serving
from ui.train import data_choice

QUICK, FULL = "Quick: last layer only", "Full"
_WEIGHTS = "MELANOMA_IMAGENET_WEIGHTS"  # path of the file with ImageNet weights
_FINE_TUNE = "Fine-tune the model in use"
_SPLITS = {
    "model": "As for the model in use: its test lesions stay test lesions",
    "given": "As in the data sets, the rest by lesion",
    "drawn": "Divide everything again, by lesion",
    "file": "From a split file",
}


@dataclass(frozen=True)
class _Start:
    """What training starts from."""

    network: str
    image_size: int  # px a side, as the form suggests
    from_model: str | None = None
    weights: str | None = None


def ask(serving: Serving | None, *, is_sandbox: bool) -> RunPlan | None:
    """Draw the form; its plan, or None until a data set is chosen."""
    card = serving.model.card if serving else None
    chosen = data_choice.choose(is_sandbox=is_sandbox)
    ways = [QUICK] if is_sandbox else [QUICK, FULL]
    if card is None:
        ways = [way for way in ways if way == FULL]
    if not ways:
        st.markdown("Quick training needs a model in use, whose network it keeps.")
        return None
    way = st.segmented_control(
        "Training", ways, default=ways[0], required=True, key="train_way", persist_state="session"
    )
    st.markdown(small(_meaning(str(way), card)))
    is_quick = way == QUICK
    start = _from_model(card) if is_quick and card else _ask_start(card)
    split_by, splits = _ask_split(start, is_sandbox=is_sandbox)
    is_cleaned = st.toggle(
        "Clean the data first", value=True, key="train_clean", persist_state="session",
        help="Trains on the data doctor’s clean table: no copies, contradictions or leaks.",
    )  # fmt: skip
    if not is_cleaned:
        st.warning(
            "**The files are used as they are.** Copies on both sides of the split make figures "
            "too good; photographs with two diagnoses are trained as both.",
            icon=":material/warning:",
        )
    config = _ask_settings(start, is_quick=is_quick)
    if not chosen:
        return None
    return RunPlan(
        config,
        tuple(str(path.resolve()) for path in chosen),
        splits,
        start.weights,
        "head" if is_quick else "full",
        (start.from_model,) if start.from_model else (),
        is_cleaned=is_cleaned,
        split_by=split_by,
    )


def _meaning(way: str, card: Card | None) -> str:
    if way == QUICK:
        name = literal(card.model_id) if card else ""
        return (
            f"Keeps the network of {name} and trains only its last layer. Takes minutes and does "
            "not need TensorFlow."
        )
    return "Trains the whole network, epoch by epoch. Takes hours without a GPU; can be resumed."


def _from_model(card: Card) -> _Start:
    return _Start(card.network, card.image_size, card.model_id)


def _ask_start(card: Card | None) -> _Start:
    """What full training starts from; networks whose weights are missing are left out."""
    starts: dict[str, _Start] = {}
    if card is not None:
        starts[f"{_FINE_TUNE} ({card.network})"] = _from_model(card)
    weights = os.environ.get(_WEIGHTS)
    for network, info in network_table.NETWORKS.items():
        # Ensembles are made on the command line; the tiny network is for tests.
        if network_table.ENSEMBLE_SEPARATOR in network or network == "tiny":
            continue
        if not info.needs_weights:
            starts[info.description] = _Start(network, info.image_size)
        elif weights and Path(weights).is_file() and _can_be_of(Path(weights), network):
            starts[f"{info.description}, from ImageNet weights"] = _Start(
                network, info.image_size, weights=str(Path(weights).resolve())
            )
    name = st.selectbox(
        "Network", list(starts), key="train_start", persist_state="session",
        help="Fine-tuning needs the fewest epochs. ImageNet weights are offered if the operator "
        f"has named their file ({_WEIGHTS}).",
    )  # fmt: skip
    return starts[name]


def _can_be_of(weights: Path, network: str) -> bool:
    """True unless the file is named after another network."""
    owners = [name for name in network_table.NETWORKS if weights.name.startswith(name)]
    return not owners or network in owners


def _ask_split(start: _Start, *, is_sandbox: bool) -> tuple[str, str | None]:
    """How photographs are divided, and the path of a split file if there is one."""
    ways = ["model", "file"] if start.from_model else ["given", "drawn", "file"]
    way = st.radio(
        "Training, validation and test", ways, format_func=_SPLITS.__getitem__,
        key=f"train_split_{'on' if start.from_model else 'new'}", persist_state="session",
        help="A lesion is in one part only. A network cannot be tested on its training lesions.",
    )  # fmt: skip
    if way != "file":
        return way, None
    file = st.file_uploader(
        "CSV with the columns image_id, group_id and split", type="csv", key="train_split_file",
        max_upload_size=20,
    )  # fmt: skip
    fallback = "model" if start.from_model else "given"
    if file is None:
        st.markdown(small("Until a file is chosen: " + _SPLITS[fallback] + "."))
        return fallback, None
    root = data_choice.session_folder() if is_sandbox else paths.datasets_dir() / ".splits"
    root.mkdir(parents=True, exist_ok=True)
    data = file.getvalue()
    path = root / f"{paths.sha256(data)[:16]}-{uploads.file_name(file.name)}"
    if not path.exists():
        paths.write_atomic(path, data)
    return fallback, str(path.resolve())


def _ask_settings(start: _Start, *, is_quick: bool) -> TrainConfig:
    default = TrainConfig(network=start.network, image_size=start.image_size)
    epochs = default.epochs
    if not is_quick:
        epochs = st.number_input(
            "Epochs", 1, 500, default.epochs, key="train_epochs", width=190,
            help="Passes over all photographs. The learning rate falls to zero by the last one, "
            "which is kept, so there is no early stopping.",
        )  # fmt: skip
    with st.expander("More settings", icon=":material/tune:"):
        grid = st.grid(3, min_column_width=190)
        with grid:
            seed = st.number_input(
                "Seed", 0, 2**31 - 1, 0, key="train_seed",
                help="The same data, settings, seed and machine give the same weights.",
            )  # fmt: skip
        if is_quick:
            return dataclasses.replace(default, seed=int(seed))
        with grid:
            size = st.number_input(
                "Image size, px", 32, max(512, start.image_size), start.image_size, step=2,
                key=f"train_size_{start.from_model or start.network}",
                help="Larger images show finer structure; time grows with the square.",
            )  # fmt: skip
        with grid:
            batch = st.number_input(
                "Batch size", 1, 256, default.batch_size, key="train_batch",
                help="Photographs per step. Small batches save memory but blur batch statistics.",
            )  # fmt: skip
        with grid:
            rate = st.number_input(
                "Learning rate", 1e-6, 0.1, default.learning_rate, format="%.1e", step=1e-4,
                key="train_rate", help="The peak, after warm-up. Lower it for fine-tuning.",
            )  # fmt: skip
        with grid:
            strength = st.selectbox(
                "Augmentation", list(augmentations.AUGMENTATIONS), key="train_augment",
                help="How strongly photographs are altered, so that cameras are not memorized.",
            )  # fmt: skip
        with grid:
            mixup = st.number_input(
                "Mix-up", 0.0, 1.0, default.mixup, step=0.1, key="train_mixup",
                help="Blends pairs of photographs with weights from Beta(m, m); 0 turns it off.",
            )  # fmt: skip
    return TrainConfig(
        network=start.network,
        image_size=int(size),
        epochs=int(epochs),
        batch_size=int(batch),
        learning_rate=float(rate),
        augment=augmentations.AUGMENTATIONS[strength],
        mixup=float(mixup),
        seed=int(seed),
    )


def card_of(plan: RunPlan, serving: Serving | None) -> Card | None:
    """The card of the plan's parent, or of the model in use."""
    if plan.parent is not None:
        return store.read_card(store.model_dir(paths.models_dir(), plan.parent))
    return serving.model.card if serving else None
