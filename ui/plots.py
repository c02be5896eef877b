"""Charts as plain dictionaries of Plotly's schema, sent to the browser as they stand.

Made of graph objects, a chart takes Plotly's validators 20 to 50 ms of processor time.
`st.plotly_chart` has them run over a dictionary, too, but takes a `BaseFigure` for validated. So
the tests hold each chart against the schema (tests/conftest.py), and the server does not.
"""

from typing import Any

from plotly.basedatatypes import BaseFigure

Spec = dict[str, Any]  # a part of a chart, as plotly.js has it

CLEAR = "rgba(0,0,0,0)"


class Chart(BaseFigure):
    """What plotly.js draws. Of the methods of a figure it has `to_dict` alone."""

    def __init__(self, data: list[Spec], layout: Spec) -> None:
        self._spec = {"data": data, "layout": layout}  # no super().__init__(), which validates

    def to_dict(self) -> Spec:
        """The chart, unvalidated."""
        return self._spec
