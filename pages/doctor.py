"""Data doctor: what is wrong with a data set, what it means, and the clean table that is left."""

from ui import dataset_choice, errors, frame
from ui.doctor import clean_table_panel, examination_panel, finding_rows

frame.title_row("Data doctor")
found = None
with errors.shown():
    found = dataset_choice.choose()
if found is not None:
    audit = examination_panel.show(found)
    if audit is not None:
        finding_rows.show(found, audit)
        clean_table_panel.show(found, audit)
        examination_panel.show_scope(found, audit)
