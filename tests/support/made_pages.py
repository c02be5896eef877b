"""Open the app without a browser, and read the content of a page."""

import functools
import json
from pathlib import Path

import plotly.graph_objects as go
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

APP = Path(__file__).resolve().parents[2] / "app.py"
SECONDS = 30  # one run; a first import of Plotly on a busy machine takes several

# Each session of AppTest would read the metadata of every installed package again: 0.2 s.
manifest_scanner.scan_component_manifests = functools.cache(
    manifest_scanner.scan_component_manifests
)


def open_app(page=None):
    """A new session on the first page, or on `page` ("pages/about.py")."""
    app = AppTest.from_file(str(APP), default_timeout=SECONDS)
    app.run()
    return app.switch_page(page).run() if page else app


def upload(app, data, name="a.jpg", kind="image/jpeg"):
    """Put one file into the page's uploader."""
    return app.file_uploader[0].set_value((name, data, kind)).run()


def unfold(app, key):
    """Open an expander whose content is worked out only then."""
    app.session_state[key] = True  # as the browser says; AppTest has no click for it
    return app.run()


def text(app):
    """All text of the page and the sidebar as Markdown, one block per line."""
    blocks = [
        *app.title, *app.header, *app.subheader, *app.markdown, *app.caption, *app.code,
        *app.error, *app.warning, *app.info,
    ]  # fmt: skip
    return "\n".join(str(block.value) for block in blocks)


def widget(app, key):
    """The widget with this key; None if it is not on the page."""
    widgets = [
        *app.selectbox, *app.slider, *app.radio, *app.number_input, *app.toggle,
        *app.get("button_group"),
    ]  # fmt: skip
    return next((widget for widget in widgets if widget.key == key), None)


def choose(app, key, value):
    """Give the widget with this key another value."""
    return widget(app, key).set_value(value).run()


def pictures(app):
    """Alternative text and address of every picture."""
    return [(image.proto.imgs[0].alt, image.proto.imgs[0].url) for image in app.get("image")]


def button(app, label):
    return next(button for button in app.button if button.label == label)


def choice(app, label):
    """The select box with this label."""
    return next(box for box in app.selectbox if box.label == label)


def chart(app, key):
    """A chart's alt text, Plotly figure and configuration, as Streamlit sends them."""
    (proto,) = [element.proto for element in app.get("plotly_chart") if key in element.proto.id]
    return proto.alt, json.loads(proto.spec), json.loads(proto.config)


def figure_of(chart):
    """The Plotly figure that a chart of `ui` is."""
    return go.Figure(chart.to_dict())
