"""Data doctor: what is wrong with a data set, what it means, and the clean table that is left."""

from ui import clean_table_panel, dataset_choice, errors, examination_panel, finding_rows, frame

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
