"""What the stories of the page Lessons share: missing records, methods and downloads."""

from collections.abc import Sequence

import streamlit as st

from melanoma_core.data import csv_tables
from melanoma_core.evaluation.experiment_records import COMMANDS
from ui.formats import literal, small


def show_absent(name: str) -> None:
    """Say how to make the record of a story that has none."""
    st.markdown("Not measured on this machine yet. Run, in the folder of this app:")
    st.code(COMMANDS[name], language="bash")


def show_how(command: str, machine: str, sentences: Sequence[str], key: str) -> None:
    """How a record was made: the method, the machine, and the command to repeat it."""
    with st.expander("How it was measured", icon=":material/science:", key=f"{key}_how"):
        st.markdown(" ".join(sentences))
        st.code(command, language="bash", wrap_lines=True)
        if machine:
            st.markdown(small(f"Measured on {literal(machine)}."))


def offer_table(
    file_name: str, header: Sequence[str], rows: Sequence[Sequence[object]], key: str
) -> None:
    """A button to download the figures of a chart."""
    st.download_button(
        "Download (CSV)", csv_tables.to_csv(header, rows), file_name, "text/csv",
        key=f"{key}_csv", icon=":material/download:", on_click="ignore", type="tertiary",
    )  # fmt: skip
