"""Load in the background what the pages with figures need, so that the first of them opens at once.

Assess does without pandas and Plotly, so the app is up before they are loaded; importing them
takes a second, half of what a page may take to open.
"""

import importlib
import threading

import streamlit as st

_MODULES = ("pandas", "pyarrow", "plotly.graph_objs")
_DELAY = 1.0  # seconds, in which the first page is sent


@st.cache_resource(show_spinner=False)
def start() -> threading.Thread:
    """Once in the life of the server.

    Returns:
        The thread; it ends when everything is loaded.
    """
    thread = threading.Timer(_DELAY, _load)
    thread.daemon = True
    thread.start()
    return thread


def _load() -> None:
    for name in _MODULES:
        importlib.import_module(name)
