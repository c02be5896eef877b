"""The map of a data set as a chart: a point a photograph, in the color of its diagnosis."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from melanoma_core.data.catalogues import CODES_BY_GROUP
from melanoma_core.data.coverage import NOT_RECORDED
from melanoma_core.diagnoses import BENIGN, BY_CODE, MALIGNANT, PRE_MALIGNANT
from ui import model_charts, subgroup_charts
from ui.balance_charts import SPLIT_NAMES
from ui.formats import count
from ui.plots import CLEAR, Chart, Spec
from ui.theme import Ground

SYMBOLS = {MALIGNANT: "diamond", PRE_MALIGNANT: "triangle-up", BENIGN: "circle"}
_HEIGHT = 520  # px
_SIZES = {"diamond": 8, "triangle-up": 8, "circle": 7}  # look alike in area
_MARGIN = 1.04  # the outermost points, whole


def embedding_map(points: pd.DataFrame, ground: Ground, highlighted: Sequence[str] = ()) -> Chart:
    """Every photograph where the network sees it; near each other is what it finds alike.

    Marks are drawn as shapes, not by WebGL, which some browsers of clinics lack; a map holds at
    most `embedding_maps.MAX_PHOTOGRAPHS`.

    Args:
        points: of an `EmbeddingMap`, or a part of them.
        ground: colors of the page.
        highlighted: diagnoses that stand out; the others are pale then. None: all are alike.
    """
    data: list[Spec] = []
    present = [code for code in CODES_BY_GROUP if (points["diagnosis"] == code).any()]
    pale = [code for code in present if highlighted and code not in highlighted]
    for code in [*pale, *(code for code in present if code not in pale)]:
        rows = points[points["diagnosis"] == code]
        symbol = SYMBOLS[BY_CODE[code].group]
        is_pale = code in pale
        data.append(
            {
                "type": "scatter", "x": rows["x"].tolist(), "y": rows["y"].tolist(),
                "mode": "markers", "name": f"{BY_CODE[code].name} {len(rows):,}",
                "legendrank": present.index(code), "customdata": _words(rows),
                "marker": {
                    "symbol": symbol, "size": _SIZES[symbol] - 2 * is_pale,
                    "color": ground.rest if is_pale else BY_CODE[code].color,
                    "opacity": 0.8,
                    # What was held out stands before what was taught by an edge of ink.
                    "line": {
                        "color": ground.ink,
                        "width": np.where(rows["is_held_out"] & (not is_pale), 1.2, 0.0).tolist(),
                    },
                },
                "hovertemplate": "%{customdata}<extra></extra>",
            }
        )  # fmt: skip
    axis = {"range": [-_MARGIN, _MARGIN], "visible": False, "fixedrange": True}
    # A key is needed where nine colors lie among each other; a click on it hides a diagnosis.
    layout = model_charts.bare(_HEIGHT) | {
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0}, "showlegend": True, "hovermode": "closest",
        "legend": {
            "orientation": "h", "x": 0, "y": 1, "xanchor": "left", "yanchor": "bottom",
            "itemsizing": "constant", "font": {"color": ground.ink, "size": 13},
            "bgcolor": CLEAR, "entrywidth": 0.32, "entrywidthmode": "fraction",
        },
        "xaxis": axis, "yaxis": axis,
    }  # fmt: skip
    return Chart(data, layout)


def _words(rows: pd.DataFrame) -> list[str]:
    """What is said of each point where the pointer rests on it."""
    return [
        f"<b>{subgroup_charts.plain_text(str(image_id))}</b><br>{BY_CODE[code].name}<br>"
        f"{place(split, is_held_out=is_held_out)}"
        for image_id, code, split, is_held_out in zip(
            rows["image_id"], rows["diagnosis"], rows["split"], rows["is_held_out"], strict=True
        )
    ]


def place(split: str | None, *, is_held_out: bool) -> str:
    """Where a photograph stands: its split in the data set, and whether it was held out."""
    names = [SPLIT_NAMES[split]] if isinstance(split, str) else []
    if is_held_out:
        names.append("held out from the model")
    return ", ".join(names).capitalize() if names else SPLIT_NAMES[NOT_RECORDED]


def embedding_map_alt(points: pd.DataFrame, highlighted: Sequence[str] = ()) -> str:
    """What the chart shows, in words."""
    numbers = ", ".join(
        f"{BY_CODE[code].name} {count(int(number))}"
        for code in CODES_BY_GROUP
        if (number := (points["diagnosis"] == code).sum())
    )
    marked = " and ".join(BY_CODE[code].name for code in highlighted)
    return f"Map of the embeddings: {numbers}." + (f" {marked} stand out." if marked else "")
