"""A model's card as a document: who may use it for what, how good it is, and where it fails.

Made from card.json and evaluation.json alone, so that no figure in it is typed by hand (Mitchell
and others, "Model cards for model reporting", 2019; CLEAR Derm, JAMA Dermatology 2022).
"""

import datetime
import math

from melanoma_core.data import coverage
from melanoma_core.data.schema import SPLITS
from melanoma_core.diagnoses import BY_CODE
from melanoma_core.errors import ModelError
from melanoma_core.evaluation import formats, model_card_tables, subgroups
from melanoma_core.evaluation.evaluate import Evaluation
from melanoma_core.evaluation.formats import count, cutoff, percent
from melanoma_core.evaluation.markdown import bullets, literal, table
from melanoma_core.models.cards import Card
from melanoma_core.models.network_table import NETWORKS

_NEEDED = (
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


def document(card: Card, measured: Evaluation, card_sha256: str) -> str:
    """The model card in Markdown.

    Args:
        card: of the model.
        measured: its evaluation.json; the rows of the test split are taken.
        card_sha256: of its card.json.

    Raises:
        ModelError: the card lacks something that a model card must say, or nothing was measured.
    """
    empty = [name for name in _NEEDED if not getattr(card, name)]
    if empty:
        raise _lacks(card, ", ".join(empty))
    test = measured.where((measured.table["split"] == "test").to_numpy())
    if len(test) == 0:
        raise _lacks(card, "photographs of the test split in its evaluation")
    try:
        sections = {**_what_it_is(card), **_how_good(card, test), **_making(card, card_sha256)}
    except KeyError as error:
        raise _lacks(card, str(error.args[0])) from error
    body = "\n\n".join(f"## {heading}\n\n{text}" for heading, text in sections.items())
    return f"# Model card: {literal(card.model_id)}\n\n{_opening(card)}\n\n{body}\n"


def _lacks(card: Card, what: str) -> ModelError:
    return ModelError(
        f"No model card can be written of “{card.model_id}”: it lacks {what}. Train the model "
        "again with this version, or restore its folder from a copy."
    )


def _opening(card: Card) -> str:
    made = datetime.date.fromisoformat(card.created)
    return (
        f"Made on {made.day} {made:%b %Y} in the run {literal(card.run_id)}. Written by `python -m "
        "melanoma_core card` from the model’s own files. In brackets are 95 % intervals, "
        "bootstrapped over groups of photographs that show one lesion or near copies (Wilson’s, of "
        "groups, where a share is none or all); photographs and lesions are counted apart."
    )


def _what_it_is(card: Card) -> dict[str, str]:
    network = NETWORKS[card.network]
    shows = "evidence maps" if card.has_saliency else "no evidence maps"
    return {
        "Intended use": (
            f"{literal(card.intended_use)}\n\nThe probability of melanoma in one dermoscopic "
            "photograph is held against a referral threshold. A photograph below the threshold "
            "does not rule melanoma out."
        ),
        "Not for": bullets(map(literal, card.not_for)),
        "Network": (
            f"{literal(card.network)}: {network.description}; {card.image_size} × "
            f"{card.image_size} px, one view, {len(card.diagnoses)} diagnoses, {shows}."
        ),
        "Data": f"{_datasets(card)}\n\n{_class_counts(card)}\n\n{_labels(card)}",
        "Evidence boundary": _seen(card),
    }


def _seen(card: Card) -> str:
    parts = (
        "Lesions that it learnt from. How well it does on a kind of which it saw fewer than "
        f"{coverage.MIN_LESIONS} is not known; the app says so when a case lies outside.",
        formats.left_uncounted(card),
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
            f"{model_card_tables.source_name(use.name)} ({formats.TAUGHT_BEFORE})",
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
        for code in card.diagnoses
    ]
    sums = (count(sum(card.class_counts[split].values())) for split in SPLITS)
    return table(("Photographs of", *_SPLIT_NAMES.values()), [*rows, ("All", *sums)])


def _labels(card: Card) -> str:
    text = (
        "A lesion is in one split only: weights come from the training photographs, temperature, "
        "thresholds and cutoffs from the validation photographs, figures from the test "
        f"photographs. SHA-256 of the splits: `{card.split_sha256}`."
    )
    return f"{text}\n\n{bullets(map(literal, card.notes))}" if card.notes else text


def _how_good(card: Card, test: Evaluation) -> dict[str, str]:
    point = card.operating_points[0]
    found = model_card_tables.subgroups_of(test, point.threshold)
    diagnoses = subgroups.by_diagnosis(test)
    at = f"the threshold of {cutoff(point.threshold)} placed to find {percent(point.target)}"
    return {
        "Referral thresholds": model_card_tables.operating_points(card),
        "Figures on test photographs": (
            "Of the seven classes of HAM10000, sums of the nine; of a source that lacks some of "
            "them, means are over those that it has. Sensitivity and specificity are those at "
            f"{at}.\n\n{model_card_tables.by_source(card)}"
        ),
        "By diagnosis": (
            "The label seborrheic keratosis comes from one archive and pigmented benign keratosis "
            "from others, so telling the two apart is in part telling the archive: take both "
            f"together.\n\n{model_card_tables.by_diagnosis(diagnoses)}"
        ),
        "By subgroup": (
            f"Melanoma against the rest, at {at}. Counts are photographs (lesions). **Skin tone is "
            "not recorded** in any of these data: how well the model does on dark skin is not "
            f"known.\n\n{model_card_tables.by_subgroup(found)}"
        ),
        "Calibration": (
            f"{_calibration(card)}, fitted on the validation photographs. The "
            "calibration error is that of the likeliest class, in 15 bins.\n\n"
            f"{model_card_tables.calibration(card, test)}"
        ),
        "Differential": model_card_tables.differential(card),
        "Where it fails": model_card_tables.failures(test, point, found),
    }


def _calibration(card: Card) -> str:
    temperature = f"Temperature {card.temperature:.3f}"
    if not card.class_bias:
        return temperature
    biases = ", ".join(
        f"{code} {bias:+.2f}".replace("-", "−")
        for code, bias in zip(card.diagnoses, card.class_bias, strict=True)
    )
    return f"{temperature}, and a bias added to the logit of each diagnosis before it ({biases})"


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


def of_untaught(card: Card) -> str:
    """Why a model that was made of others and taught nothing has no epochs; else empty."""
    if "calibrated_anew" in card.config:
        name = literal(card.config["calibrated_anew"])
        return f"Nothing was trained: the network is that of {name}, calibrated and measured anew."
    names = " and ".join(literal(name) for name in card.config.get("joined", ()))
    if not names:
        return ""
    return f"Nothing was trained: the networks of {names} stand side by side, one vote each."


def _history(card: Card) -> str:
    if not card.history:
        return of_untaught(card) or "The figures of its epochs were not recorded."
    rows = [
        (f"{epoch['epoch']}", *(_decimal(epoch[name]) for name in list(_HISTORY)[1:]))
        for epoch in card.history
    ]
    epochs = table(tuple(_HISTORY.values()), rows)
    return f"On the validation photographs, after each epoch:\n\n{epochs}"


def _decimal(value: float) -> str:
    return "not known" if math.isnan(value) else f"{value:.3f}"
