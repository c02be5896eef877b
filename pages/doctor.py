"""Data doctor: what is wrong with a data set, what it means, and the cleaned table."""

from ui import dataset_choice, errors, frame
from ui.doctor import clean_table_panel, examination_panel, finding_rows

frame.title_row("Data doctor")
catalogue = None
with errors.shown():
    catalogue = dataset_choice.choose()
if catalogue is not None:
    audit = examination_panel.show(catalogue)
    if audit is not None:
        finding_rows.show(catalogue, audit)
        clean_table_panel.show(catalogue, audit)
        examination_panel.show_scope(catalogue, audit)
