"""The map as a chart: colors and symbols of the diagnoses, and outside text is never markup."""

import pandas as pd

from tests.support.made_pages import figure_of
from ui import embedding_charts, theme
from ui.theme import LIGHT

POINTS = pd.DataFrame(
    {
        "image_id": ["ISIC_1", "<b>n</b>", "ISIC_3", "ISIC_4"],
        "diagnosis": ["MEL", "NV", "AK", "NV"],
        "split": ["train", "test", None, "train"],
        "x": [0.0, 0.5, -0.5, 1.0],
        "y": [0.0, 0.1, 0.2, 0.3],
        "is_held_out": [False, True, False, False],
    }
)


def traces(**options):
    figure = figure_of(embedding_charts.embedding_map(POINTS, LIGHT, **options))
    return {trace.name.rpartition(" ")[0]: trace for trace in figure.data}


def test_each_group_has_its_symbol_and_each_diagnosis_its_color():
    by_name = traces()
    assert list(by_name) == ["Melanoma", "Actinic keratosis", "Nevus"]
    symbols = [trace.marker.symbol for trace in by_name.values()]
    assert symbols == ["diamond", "triangle-up", "circle"]
    assert by_name["Nevus"].marker.color == theme.DIAGNOSIS_COLORS["NV"]
    assert list(by_name["Nevus"].x) == [0.5, 1.0]


def test_held_out_photographs_are_outlined_and_training_photographs_are_not():
    assert list(traces()["Nevus"].marker.line.width) == [1.2, 0.0]


def test_highlighted_diagnoses_are_drawn_over_the_others_which_are_pale():
    by_name = traces(highlighted=("MEL", "NV"))
    assert list(by_name) == ["Actinic keratosis", "Melanoma", "Nevus"]
    assert by_name["Actinic keratosis"].marker.color == LIGHT.rest
    assert by_name["Melanoma"].marker.color == theme.DIAGNOSIS_COLORS["MEL"]


def test_hover_text_has_id_diagnosis_and_split():
    (first, second) = traces()["Nevus"].customdata
    assert first == "<b>&lt;b>n&lt;/b></b><br>Nevus<br>Test, held out from the model"
    assert traces()["Actinic keratosis"].customdata[0].endswith("No split recorded")
    assert second.startswith("<b>ISIC_4</b>")


def test_alt_text_counts_every_diagnosis():
    alt = embedding_charts.embedding_map_alt(POINTS, ("MEL", "NV"))
    assert alt == (
        "Map of the embeddings: Melanoma 1, Actinic keratosis 1, Nevus 2. "
        "Melanoma and Nevus stand out."
    )
