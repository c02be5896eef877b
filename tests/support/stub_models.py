"""Made-up models for the pages: real folders and cards, and a network with fixed answers.

The store writes, promotes and checks the folders. Only the LiteRT graph is replaced, by one with
the same answer for every photograph.
"""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from melanoma_core.diagnoses import CODES
from melanoma_core.evaluation import evaluate
from melanoma_core.metrics.estimates import Estimate
from melanoma_core.models import assessments, cards, predict, store, training_ids, views
from melanoma_core.models.cards import Card, DatasetUse, Differential, OperatingPoint, ReferralRule
from melanoma_core.models.outcomes import Outcomes

# Nevus is likeliest; melanoma is above a threshold of 8.4 %.
PROBABILITIES = {
    "MEL": 0.31, "NV": 0.49, "BCC": 0.021, "AK": 0.034, "SCC": 0.005, "PBK": 0.056, "SK": 0.06,
    "DF": 0.01, "VASC": 0.014,
}  # fmt: skip


def operating_point(
    target=0.95, threshold=0.084, *, val_lesions=130, num_lesions=197, num_hits=205
):
    """An operating point measured on 216 melanoma and 1,800 other photographs."""
    return OperatingPoint(
        target=target,
        threshold=threshold,
        val_photographs=val_lesions + 44,
        val_lesions=val_lesions,
        sensitivity=Estimate(num_hits / 216, 0.912, 0.974, 216, num_lesions, num_hits),
        specificity=Estimate(1220 / 1800, 0.656, 0.699, 1800, 1331, 1220),
    )


def carcinoma_point(target=0.95, threshold=0.12, *, num_hits=101):
    """An operating point for carcinoma, measured on 106 photographs of them and 1,910 others."""
    return OperatingPoint(
        target=target,
        threshold=threshold,
        val_photographs=52,
        val_lesions=34,
        sensitivity=Estimate(num_hits / 106, 0.89, 0.98, 106, 70, num_hits),
        specificity=Estimate(1700 / 1910, 0.87, 0.905, 1910, 1458, 1700),
    )


REFERRAL_RULE = ReferralRule(
    target=0.95,
    sensitivity=Estimate(308 / 322, 0.93, 0.975, 322, 267, 308),
    specificity=Estimate(1050 / 1694, 0.59, 0.645, 1694, 1261, 1050),
)
# 620 test photographs: the melanomas among them have the higher probabilities.
OUTCOMES = Outcomes(np.linspace(0.001, 0.9, 620), np.arange(620) % 10 < np.arange(620) / 100)
DIFFERENTIAL = Differential(
    level=0.90,
    melanoma_cutoff=0.11,
    other_cutoff=0.17,
    val_photographs=1001,
    val_melanomas=174,
    coverage=Estimate(1820 / 2016, 0.889, 0.917, 2016, 1528, 1820),
    melanoma_coverage=Estimate(196 / 216, 0.862, 0.947, 216, 197, 196),
    mean_size=Estimate(1.62, 1.58, 1.66, 2016, 1528),
    review_share=Estimate(430 / 2016, 0.195, 0.232, 2016, 1528, 430),
)
SEEN = {
    "age": {"0–9": 12, "40–49": 2100, "70–79": 900, "90+": 4, "not recorded": 90},
    "sex": {"female": 1400, "male": 1650, "not recorded": 56},
    "site": {"back": 1200, "foot": 60, "genital": 19, "not recorded": 1827},
    "source": {"ham10000": 3066, "my*set*": 40},
    "skin_tone": {"not recorded": 3106},
}
HISTORY = tuple(
    {
        "epoch": epoch,
        "loss": 1.2 / epoch,
        "val_loss": 1.3 / epoch,
        "val_accuracy": 0.6 + epoch / 20,
        "val_balanced_accuracy": 0.5 + epoch / 20,
        "val_macro_auroc": 0.85 + epoch / 40,
        "val_melanoma_auroc": 0.8 + epoch / 40,
        "seconds": 61.5,
    }
    for epoch in (1, 2, 3)
)


def card(model_id="nine-2026-11-14", **changes):
    """A card with made-up figures; `changes` replace fields."""
    accuracy = Estimate(0.81, 0.79, 0.83, 2016, 1528)
    fields = {
        "model_id": model_id,
        "created": "2026-11-14",
        "run_id": "run-7",
        "network": "mobilenet_v2",
        "image_size": 32,
        "has_saliency": True,
        "diagnoses": CODES,
        "temperature": 1.25,
        "prior_shift": (),
        "class_bias": (),
        "operating_points": (
            operating_point(),
            operating_point(0.90, 0.40, num_hits=195),
        ),
        "differential": DIFFERENTIAL,
        "figures": {
            "all": {
                "accuracy": accuracy,
                "balanced_accuracy": dataclasses.replace(
                    accuracy, value=0.655, low=0.62, high=0.69
                ),
                "macro_auroc": dataclasses.replace(accuracy, value=0.947, low=0.939, high=0.955),
                "melanoma_auroc": dataclasses.replace(accuracy, value=0.91, low=0.89, high=0.93),
                "keratoses_auroc": dataclasses.replace(accuracy, value=0.93, low=0.91, high=0.95),
                "ece": dataclasses.replace(accuracy, value=0.021, low=0.015, high=0.03),
                "brier": dataclasses.replace(accuracy, value=0.272, low=0.25, high=0.29),
            },
            "isic2017": {
                "melanoma_auroc": Estimate(float("nan"), float("nan"), float("nan"), 90, 80)
            },
        },
        "class_counts": {
            "train": {code: 1000 + index for index, code in enumerate(CODES)},
            "val": dict.fromkeys(CODES, 100),
            "test": {code: 200 for code in CODES if code != "SCC"},
        },
        "datasets": (
            DatasetUse("ham10000", "CC BY-NC 4.0", "ab12cd34" * 8, 7019, 984, 2012),
            DatasetUse("my*set*", "", "", 40, 0, 4),
        ),
        "seen": SEEN,
        "split_sha256": "ef" * 32,
        "notes": ("ham10000: akiec became AK.",),
        "config": {},
        "history": HISTORY,
        "versions": {"keras": "3.15.1"},
        "intended_use": cards.INTENDED_USE,
        "not_for": cards.NOT_FOR,
        "files": {},
        "inherited_datasets": (),
        "color_cast_limits": (),
        "carcinoma_points": (carcinoma_point(), carcinoma_point(0.90, 0.35, num_hits=96)),
        "referral_rules": (REFERRAL_RULE,),
    }
    return Card(**{**fields, **changes})


def add(models_dir: Path, made_card=None, *, in_use=True, evaluation=None, has_parts=False):
    """Write the folder of a model, and promote it; `evaluation` becomes its evaluation.json."""
    made_card = made_card or card()
    building = store.building_dir(models_dir)
    for name in (*store.FILES, *(store.PARTS if has_parts else ())):
        (building / name).write_bytes(name.encode())
    no_ids = training_ids.of(pd.DataFrame({"image_id": [], "lesion_id": []}))
    (building / store.TRAINING_IDS).write_bytes(training_ids.to_bytes(no_ids))
    if evaluation is not None:
        (building / "evaluation.json").write_text(evaluate.to_json(evaluation))
    directory = store.add(models_dir, building, made_card)
    if in_use:
        store.set_champion(models_dir, made_card.model_id)
    return directory


class StubGraph:
    """The same output for every photograph: evidence in the upper left corner of a 4 × 4 map."""

    image_size = 32

    def run(self, image):
        features = np.zeros((4, 4, 1), np.float32)
        features[0, 0, 0] = 16.0
        return predict.GraphOutput(features, np.ones(1, np.float32))


def serve(monkeypatch, models_dir: Path, probabilities=None, heat=None):
    """Make the pages use `models_dir`, with these probabilities for every photograph.

    Args:
        monkeypatch: of the test.
        models_dir: folder filled by `add`.
        probabilities: by code; they sum to 1.
        heat: strength of the evidence by code; none for missing codes.
    """
    probabilities = probabilities or PROBABILITIES
    heat = {"MEL": 2.0, "NV": 1.0, "BCC": 0.1} if heat is None else heat

    def load(directory):
        stub_card, sha256, _ = store.read_files(directory)
        kernel = np.array([[heat.get(code, -1.0) for code in CODES]], np.float32)
        logits = stub_card.temperature * np.log([probabilities[code] for code in CODES])
        bias = (logits - kernel[0]).astype(np.float32)
        network = predict.Network(StubGraph(), kernel, bias)
        return predict.Model(stub_card, sha256, network, OUTCOMES)

    st.cache_resource.clear()  # an example of a stub with other probabilities would stay
    monkeypatch.setattr(predict, "load", load)
    monkeypatch.setenv("MELANOMA_MODELS", str(models_dir))


def add_parts(
    monkeypatch, *, findings=(), outline=None, cases=(), vote=None, melanoma=(), refusals=(),
    num_changed_views=0,
):  # fmt: skip
    """Have the served model say more of every photograph than its network does.

    Args:
        monkeypatch: of the test.
        findings: of the quality checks.
        outline: (S, S) or None.
        cases: similar reference lesions.
        vote: theirs.
        melanoma: probability of each photograph in turn, the last one for all that follow.
        refusals: of each photograph in turn, None for one that is taken.
        num_changed_views: of the eight flips and turns, in which melanoma is near 0.
    """
    examine, combine = assessments.examine, assessments.combine
    numbers = itertools.count()

    def examine_more(model, image):
        number = next(numbers)
        if number < len(refusals) and refusals[number] is not None:
            raise assessments.RefusedError(refusals[number])
        photograph = examine(model, image)
        if melanoma:
            probability = melanoma[min(number, len(melanoma) - 1)]
            prediction = _with_melanoma(photograph.prediction, probability, model.card)
            photograph = dataclasses.replace(photograph, prediction=prediction)
        return dataclasses.replace(photograph, findings=tuple(findings), outline=outline)

    def combine_more(model, photographs):
        return dataclasses.replace(combine(model, photographs), cases=tuple(cases), vote=vote)

    def view_logits(network, square):
        logits = np.repeat(network.logits_of([square]), views.NUM_VIEWS, axis=0)
        logits[1 : 1 + num_changed_views, CODES.index("MEL")] -= 20
        return logits

    monkeypatch.setattr(assessments, "examine", examine_more)
    monkeypatch.setattr(assessments, "combine", combine_more)
    monkeypatch.setattr(views, "view_logits", view_logits)


def _with_melanoma(prediction, probability, made_card):
    """The prediction with this probability of melanoma, the others in their old proportions."""
    melanoma = np.array([code == "MEL" for code in CODES])
    rest = np.where(melanoma, 0, prediction.probabilities)
    probabilities = np.where(melanoma, probability, (1 - probability) * rest / rest.sum())
    logits = made_card.temperature * np.log(probabilities)
    return dataclasses.replace(prediction, logits=logits, probabilities=probabilities)
