"""What the stories of the page Lessons share: the absent record, and how it was measured."""

from collections.abc import Sequence

import streamlit as st

from melanoma_core.data import csv_tables
from melanoma_core.evaluation.experiment_records import COMMANDS
from ui.formats import literal, small


def show_absent(name: str) -> None:
    """In the place of a story whose record is not there."""
    st.markdown("Not measured on this machine yet. Run, in the folder of this app:")
    st.code(COMMANDS[name], language="bash")


def show_how(command: str, machine: str, sentences: Sequence[str], key: str) -> None:
    """How a record was made: in sentences, the machine, and the command to make it again."""
    with st.expander("How it was measured", icon=":material/science:", key=f"{key}_how"):
        st.markdown(" ".join(sentences))
        st.code(command, language="bash", wrap_lines=True)
        if machine:
            st.markdown(small(f"Measured on {literal(machine)}."))


def offer_table(
    file_name: str, header: Sequence[str], rows: Sequence[Sequence[object]], key: str
) -> None:
    """A button that gives the figures behind a chart."""
    st.download_button(
        "Download (CSV)", csv_tables.to_csv(header, rows), file_name, "text/csv",
        key=f"{key}_csv", icon=":material/download:", on_click="ignore", type="tertiary",
    )  # fmt: skip
