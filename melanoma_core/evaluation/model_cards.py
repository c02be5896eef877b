"""The model card as a document: what the model is for, how good it is, and where it fails.

Made only from card.json and evaluation.json, so no figure is typed by hand (Mitchell et al., "Model
cards for model reporting", 2019; CLEAR Derm, JAMA Dermatology 2022).
"""

import datetime
import math

from melanoma_core.data import coverage
from melanoma_core.data.coverage import NOT_RECORDED
from melanoma_core.data.schema import SPLITS
from melanoma_core.diagnoses import BY_CODE
from melanoma_core.errors import ModelError
from melanoma_core.evaluation import formats, model_card_tables, subgroups
from melanoma_core.evaluation.evaluate import Evaluation
from melanoma_core.evaluation.formats import count, cutoff, percent
from melanoma_core.evaluation.markdown import bullets, literal, table
from melanoma_core.models.cards import Card
from melanoma_core.models.network_table import NETWORKS

_REQUIRED = (
    "operating_points", "figures", "class_counts", "datasets", "split_sha256", "seen", "config",
    "versions", "intended_use", "not_for", "files",
)  # fmt: skip
_SPLIT_NAMES = dict(zip(SPLITS, ("Training", "Validation", "Test"), strict=True))
_HISTORY = {
    "epoch": "Epoch",
    "loss": "Loss",
    "val_loss": "Validation loss",
    "val_balanced_accuracy": "Balanced accuracy",
    "val_macro_auroc": "AUROC, mean of the diagnoses",
    "val_melanoma_auroc": "AUROC, melanoma",
}


def document(card: Card, evaluation: Evaluation, card_sha256: str) -> str:
    """The model card in Markdown.

    Args:
        card: of the model.
        evaluation: of the model; its test split is used.
        card_sha256: of its card.json.

    Raises:
        ModelError: the card lacks a required field, or the evaluation has no test photographs.
    """
    empty = [name for name in _REQUIRED if not getattr(card, name)]
    if empty:
        raise _lacks(card, ", ".join(empty))
    test = evaluation.where((evaluation.table["split"] == "test").to_numpy())
    if len(test) == 0:
        raise _lacks(card, "test photographs in its evaluation")
    try:
        sections = {**_what_it_is(card), **_how_good(card, test), **_making(card, card_sha256)}
    except KeyError as error:
        raise _lacks(card, str(error.args[0])) from error
    body = "\n\n".join(f"## {heading}\n\n{text}" for heading, text in sections.items())
    return f"# Model card: {literal(card.model_id)}\n\n{_opening(card)}\n\n{body}\n"


def _lacks(card: Card, what: str) -> ModelError:
    return ModelError(
        f"The model card of “{card.model_id}” cannot be written: it lacks {what}. Train the model "
        "again with this version, or restore its folder from a copy."
    )


def _opening(card: Card) -> str:
    made = datetime.date.fromisoformat(card.created)
    return (
        f"Made on {made.day} {made:%b %Y} in the run {literal(card.run_id)}. Written by `python -m "
        "melanoma_core card` from the model’s own files. Brackets contain 95 % intervals, "
        "bootstrapped over groups of photographs that show the same lesion or near-duplicates "
        "(Wilson intervals over groups where a proportion is 0 or 100 %)."
    )


def _what_it_is(card: Card) -> dict[str, str]:
    network = NETWORKS[card.network]
    shows = "evidence maps" if card.has_saliency else "no evidence maps"
    return {
        "Intended use": (
            f"{literal(card.intended_use)}\n\nThe probability of melanoma in one dermoscopic "
            "photograph is compared with a referral threshold. A probability below the threshold "
            "does not rule melanoma out."
        ),
        "Not for": bullets(map(literal, card.not_for)),
        "Network": (
            f"{literal(card.network)}: {network.description}; {card.image_size} × "
            f"{card.image_size} px, one view, {len(card.diagnoses)} diagnoses, {shows}."
        ),
        "Data": f"{_datasets(card)}\n\n{_class_counts(card)}\n\n{_labels(card)}",
        "Data coverage": _coverage(card),
    }


def _coverage(card: Card) -> str:
    parts = (
        f"Training lesions. Groups with fewer than {coverage.MIN_LESIONS} are treated as not seen: "
        "accuracy there is not known, and the app says so for each such case.",
        formats.uncounted_note(card),
        model_card_tables.seen(card),
        formats.color_cast_limits(card),
    )
    return "\n\n".join(filter(None, parts))


def _datasets(card: Card) -> str:
    rows = [
        (
            model_card_tables.source_name(use.name),
            literal(use.license) or "not stated",
            *(count(number) for number in (use.num_train, use.num_val, use.num_test)),
            f"`{use.sha256}`",
        )
        for use in card.datasets
    ]
    rows += [
        (
            f"{model_card_tables.source_name(use.name)} ({formats.INHERITED})",
            literal(use.license) or "not stated",
            *(count(use.num_train), "–", "–"),
            f"`{use.sha256}`",
        )
        for use in card.inherited_datasets
    ]
    return table(("Data set", "License", *_SPLIT_NAMES.values(), "SHA-256"), rows, 2)


def _class_counts(card: Card) -> str:
    rows = [
        (BY_CODE[code].name, *(count(card.class_counts[split][code]) for split in SPLITS))
        for code in card.class_counts["train"]
    ]
    sums = (count(sum(card.class_counts[split].values())) for split in SPLITS)
    return table(("Photographs of", *_SPLIT_NAMES.values()), [*rows, ("All", *sums)])


def _labels(card: Card) -> str:
    text = (
        "Each lesion is in one split only. Weights come from the training photographs; "
        "calibration, thresholds and cutoffs from the validation photographs; figures from the "
        f"test photographs. SHA-256 of the splits: `{card.split_sha256}`."
    )
    return f"{text}\n\n{bullets(map(literal, card.notes))}" if card.notes else text


def _skin_tones(card: Card) -> str:
    known = {tone: num for tone, num in card.seen["skin_tone"].items() if tone != NOT_RECORDED}
    if not known:
        return "**Skin tone is not recorded** in any of these data"
    return f"**Skin tone is recorded** of {count(sum(known.values()))} training lesions only"


def _how_good(card: Card, test: Evaluation) -> dict[str, str]:
    point = card.operating_points[0]
    by_subgroup = model_card_tables.subgroups_of(test, point.threshold)
    by_diagnosis = subgroups.by_diagnosis(test)
    threshold = (
        f"the threshold of {cutoff(point.threshold)} (target sensitivity {percent(point.target)})"
    )
    return {
        "Referral thresholds": model_card_tables.operating_points(card),
        "Figures on test photographs": (
            "For the seven classes of HAM10000, which merge some of the nine diagnoses; means are "
            "over the classes that a data set contains. Sensitivity and specificity are at "
            f"{threshold}.\n\n{model_card_tables.by_source(card)}"
        ),
        "By diagnosis": (
            "The labels seborrheic keratosis and pigmented benign keratosis come from different "
            "archives, so distinguishing them partly means recognizing the archive: use the "
            f"figures of both together.\n\n{model_card_tables.by_diagnosis(by_diagnosis)}"
        ),
        "By subgroup": (
            f"Melanoma against the rest, at {threshold}. Counts are photographs (lesions). "
            f"{_skin_tones(card)}: how well the model performs on dark skin is not known.\n\n"
            f"{model_card_tables.by_subgroup(by_subgroup)}"
        ),
        "Calibration": (
            f"{_calibration(card)}, fitted on the validation photographs. The calibration error is "
            "that of the likeliest class, in 15 bins.\n\n"
            f"{model_card_tables.calibration(card, test)}"
        ),
        "Differential": model_card_tables.differential(card),
        "Where it fails": model_card_tables.failures(test, point, by_subgroup),
    }


def _calibration(card: Card) -> str:
    temperature = f"Temperature {card.temperature:.3f}"
    if not card.class_bias:
        return temperature
    biases = ", ".join(
        f"{code} {bias:+.2f}".replace("-", "−")
        for code, bias in zip(card.diagnoses, card.class_bias, strict=True)
    )
    return f"{temperature}, after adding a bias to the logit of each diagnosis ({biases})"


def _making(card: Card, card_sha256: str) -> dict[str, str]:
    settings = [
        (literal(name), literal(value)) for name, value in formats.settings(card.config).items()
    ]
    versions = [(literal(name), literal(version)) for name, version in card.versions.items()]
    files = {"card.json": card_sha256, **card.files}
    return {
        "Training": f"{table(('Setting', 'Value'), settings)}\n\n{_history(card)}",
        "Versions": table(("Made with", "Version"), versions),
        "Checksums": table(
            ("File", "SHA-256"), [(name, f"`{digest}`") for name, digest in files.items()], 2
        ),
    }


def untrained_note(card: Card) -> str:
    """Why a model that was made from others without training has no epochs; else empty."""
    if "recalibrated_from" in card.config:
        name = literal(card.config["recalibrated_from"])
        return f"Nothing was trained: the network of {name} was recalibrated and evaluated again."
    names = " and ".join(literal(name) for name in card.config.get("ensemble_of", ()))
    if not names:
        return ""
    return f"Nothing was trained: an ensemble of the networks of {names}, with equal weights."


def _history(card: Card) -> str:
    if not card.history:
        return untrained_note(card) or "The figures after each epoch were not recorded."
    rows = [
        (f"{epoch['epoch']}", *(_decimal(epoch[name]) for name in list(_HISTORY)[1:]))
        for epoch in card.history
    ]
    epochs = table(tuple(_HISTORY.values()), rows)
    return f"On the validation photographs, after each epoch:\n\n{epochs}"


def _decimal(value: float) -> str:
    return "not known" if math.isnan(value) else f"{value:.3f}"
