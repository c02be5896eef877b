"""The map of a data set as a chart: one point per photograph, colored by diagnosis."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from melanoma_core.data.catalogues import CODES_BY_GROUP
from melanoma_core.data.coverage import NOT_RECORDED
from melanoma_core.diagnoses import BENIGN, BY_CODE, MALIGNANT, PRE_MALIGNANT
from ui import model_charts, subgroup_charts, theme
from ui.balance_charts import SPLIT_NAMES
from ui.formats import count
from ui.plots import CLEAR, Chart, Spec
from ui.theme import Ground

SYMBOLS = {MALIGNANT: "diamond", PRE_MALIGNANT: "triangle-up", BENIGN: "circle"}
_HEIGHT = 520  # px
_SIZES = {"diamond": 8, "triangle-up": 8, "circle": 7}  # px; equal areas to the eye
_MARGIN = 1.04  # so that the outermost points are not cut


def embedding_map(points: pd.DataFrame, ground: Ground, highlighted: Sequence[str] = ()) -> Chart:
    """Photographs as points; those that look alike to the network lie close together.

    Points are drawn as SVG, as browsers in some clinics lack WebGL; a map has at most
    `embedding_maps.MAX_PHOTOGRAPHS`.

    Args:
        points: the points of an `EmbeddingMap`, or some of them.
        ground: colors of the page.
        highlighted: diagnoses that stand out, while the others are pale; empty: all stand out.
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
                "legendrank": present.index(code), "customdata": _hover_texts(rows),
                "marker": {
                    "symbol": symbol, "size": _SIZES[symbol] - 2 * is_pale,
                    "color": ground.rest if is_pale else theme.DIAGNOSIS_COLORS[code],
                    "opacity": 0.8,
                    # Photographs held out from the model are outlined.
                    "line": {
                        "color": ground.ink,
                        "width": np.where(rows["is_held_out"] & (not is_pale), 1.2, 0.0).tolist(),
                    },
                },
                "hovertemplate": "%{customdata}<extra></extra>",
            }
        )  # fmt: skip
    axis = {"range": [-_MARGIN, _MARGIN], "visible": False, "fixedrange": True}
    # Nine mixed colors need a legend; a click on an entry hides its diagnosis.
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


def _hover_texts(rows: pd.DataFrame) -> list[str]:
    """The text shown when the pointer is over a point."""
    return [
        f"<b>{subgroup_charts.plain_text(str(image_id))}</b><br>{BY_CODE[code].name}<br>"
        f"{split_text(split, is_held_out=is_held_out)}"
        for image_id, code, split, is_held_out in zip(
            rows["image_id"], rows["diagnosis"], rows["split"], rows["is_held_out"], strict=True
        )
    ]


def split_text(split: str | None, *, is_held_out: bool) -> str:
    """A photograph's split in the data set, and whether it was held out from the model."""
    names = [SPLIT_NAMES[split]] if isinstance(split, str) else []
    if is_held_out:
        names.append("held out from the model")
    return ", ".join(names).capitalize() if names else SPLIT_NAMES[NOT_RECORDED]


def embedding_map_alt(points: pd.DataFrame, highlighted: Sequence[str] = ()) -> str:
    """The chart in words."""
    numbers = ", ".join(
        f"{BY_CODE[code].name} {count(int(number))}"
        for code in CODES_BY_GROUP
        if (number := (points["diagnosis"] == code).sum())
    )
    marked = " and ".join(BY_CODE[code].name for code in highlighted)
    return f"Map of the embeddings: {numbers}." + (f" {marked} stand out." if marked else "")
