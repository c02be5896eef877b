"""A really trained model, small enough for tests: synthetic lesions, tiny network, one epoch."""

from pathlib import Path

from PIL import Image

from melanoma_core.images import synthetic
from melanoma_core.models.cards import Card
from melanoma_core.runs.configs import TrainConfig
from melanoma_core.runs.plans import RunPlan

KINDS = ("melanoma", "nevus", "basal cell carcinoma", "vascular lesion")
CONFIG = TrainConfig(network="tiny", image_size=32, epochs=1, batch_size=8, learning_rate=1e-2)


def draw_class_folders(target: Path, num_each: int = 12, side: int = 64) -> Path:
    """A class-folder set of synthetic lesions, `num_each` PNG files per class."""
    for kind in KINDS:
        (target / kind).mkdir(parents=True)
        for seed in range(num_each):
            image = synthetic.lesion(seed, (side, side), kind)
            name = f"{kind.replace(' ', '_')}_{seed:03d}.png"
            Image.fromarray(image).save(target / kind / name)
    return target


def plan(dataset: Path, config: TrainConfig = CONFIG) -> RunPlan:
    """The plan of a training run on this data set."""
    return RunPlan(config, (str(dataset),), None, None)


def make(
    work_dir: Path, models_dir: Path, model_id: str = "tiny-1", config: TrainConfig = CONFIG
) -> Card:
    """Train the tiny network on synthetic lesions, and add it to `models_dir`."""
    from melanoma_core.training.train import train

    dataset = work_dir / "drawn"
    if not dataset.exists():
        draw_class_folders(dataset)
    return train(plan(dataset, config), work_dir / model_id, models_dir, report=lambda line: None)
