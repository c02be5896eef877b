"""Charts are plain dictionaries: validated in tests, sent unchanged by the app."""

import ast
from pathlib import Path

import pytest
from plotly import io, tools

from ui.plots import Chart

PROJECT = Path(__file__).resolve().parents[2]


def test_streamlit_sends_a_chart_unchanged():
    chart = Chart([{"type": "bar", "x": [1], "y": ["a"]}], {"height": 90})
    # The two steps of `st.plotly_chart`.
    sent = tools.return_figure_from_figure_or_data(chart, validate_figure=True)
    assert io.to_json(sent, validate=False) == (
        '{"data":[{"type":"bar","x":[1],"y":["a"]}],"layout":{"height":90}}'
    )


@pytest.mark.parametrize(
    ("data", "layout"),
    [
        ([{"type": "bar", "color": "red"}], {}),
        ([{"type": "bars"}], {}),
        ([], {"annotations": [{"txt": "a"}]}),
        ([], {"xaxis": {"range": "wide"}}),
    ],
    ids=["trace", "kind of trace", "annotation", "value"],
)
def test_a_chart_outside_the_schema_fails_in_tests(data, layout):
    with pytest.raises(ValueError, match="Invalid"):
        Chart(data, layout).to_dict()


def test_no_page_uses_graph_objects():
    files = [PROJECT / "app.py", *PROJECT.glob("pages/*.py"), *PROJECT.glob("ui/**/*.py")]
    assert len(files) > 50
    imported = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported |= {f"{node.module}.{alias.name}" for alias in node.names}
    from_plotly = {name for name in imported if name.partition(".")[0] == "plotly"}
    # "plotly" only for its version
    assert from_plotly == {"plotly", "plotly.basedatatypes.BaseFigure"}
