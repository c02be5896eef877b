"""Lessons from recorded runs: why test accuracy was low, and what more data would buy."""

from ui import errors, frame, model_records
from ui.lessons import leakage_panel, learning_curve_panel, pair_panel, test_size_panel
from ui.serving import serving

actions, _ = frame.title_row("Lessons")
record, point = None, None
with errors.shown("A file of the model in use failed its check, so its figures are not shown."):
    served = serving()
    if served is not None:
        record = model_records.read(served.model.card.model_id)
        with actions:
            point = frame.choose_operating_point(record.card)
leakage_panel.show()
test_size_panel.show(point)
learning_curve_panel.show()
pair_panel.show(record, point)
