"""How far a run is, in words: its step, percentage and remaining time."""

import pytest

from melanoma_core.runs import plans, states
from melanoma_core.runs.configs import TrainConfig
from melanoma_core.runs.plans import RunPlan
from ui.train import watch

THIN = "\u202f"


@pytest.mark.parametrize(
    ("recipe", "phase", "facts", "text"),
    [
        ("full", "checking the data", {"done": 1, "total": 4}, f"Step 1 of 7, 25{THIN}%"),
        (
            "full", "epoch 3 of 4",
            {"epoch": 3, "num_epochs": 4, "step": 5, "num_steps": 10, "seconds_left": 700},
            f"Step 2 of 7, 62{THIN}%, about 12 min left",
        ),
        ("full", "compiling", {"epoch": 1, "num_epochs": 4}, f"Step 2 of 7, 0{THIN}%"),
        ("full", "exporting", {}, "Step 3 of 7"),
        ("head", "embedding", {"done": 37, "total": 100}, f"Step 2 of 8, 37{THIN}%"),
        ("recalibrate", "saving", {}, "Step 6 of 6"),
        ("full", "starting", {}, ""),
    ],
)  # fmt: skip
def test_progress_has_step_percentage_and_remaining_time(tmp_path, recipe, phase, facts, text):
    plans.write_plan(tmp_path, RunPlan(TrainConfig(), ("a.zip",), recipe=recipe))
    plans.write_status(tmp_path, phase, **facts)
    assert watch.progress_text(states.read(tmp_path)) == text
