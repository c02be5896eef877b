"""Charts as plain dictionaries in Plotly's schema, sent to the browser unvalidated.

Plotly's validators take 20 to 50 ms of processor time per chart. `st.plotly_chart` runs them on
dictionaries too, but trusts a `BaseFigure`. So the tests validate every chart (tests/conftest.py),
and the server does not.
"""

from typing import Any

from plotly.basedatatypes import BaseFigure

Spec = dict[str, Any]  # part of a chart in the schema of plotly.js

CLEAR = "rgba(0,0,0,0)"


class Chart(BaseFigure):
    """A chart for plotly.js; of the methods of a figure, only `to_dict` works."""

    def __init__(self, data: list[Spec], layout: Spec) -> None:
        self._spec = {"data": data, "layout": layout}  # super().__init__() would validate

    def to_dict(self) -> Spec:
        """The chart, unvalidated."""
        return self._spec
