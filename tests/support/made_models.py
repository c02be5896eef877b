"""A model made the real way, small enough for tests: drawn lesions, the tiny network, one epoch."""

from pathlib import Path

from PIL import Image

from melanoma_core.images import synthetic
from melanoma_core.models.cards import Card
from melanoma_core.runs.configs import TrainConfig
from melanoma_core.runs.plans import RunPlan

KINDS = ("melanoma", "nevus", "basal cell carcinoma", "vascular lesion")
CONFIG = TrainConfig(network="tiny", image_size=32, epochs=1, batch_size=8, learning_rate=1e-2)


def draw_class_folders(target: Path, num_each: int = 12, side: int = 64) -> Path:
    """A class-folder set of drawn lesions, `num_each` PNG files a class."""
    for kind in KINDS:
        (target / kind).mkdir(parents=True)
        for seed in range(num_each):
            image = synthetic.lesion(seed, (side, side), kind)
            name = f"{kind.replace(' ', '_')}_{seed:03d}.png"
            Image.fromarray(image).save(target / kind / name)
    return target


def draw_challenge(target: Path, num_each: int = 12, side: int = 64) -> Path:
    """An ISIC 2020 set of drawn lesions: melanomas, nevi, and as many that are only benign."""
    folder = target / "ISIC_2020_Training_JPEG" / "train"
    folder.mkdir(parents=True)
    rows = ["image_name,patient_id,diagnosis,benign_malignant"]
    kinds = (("melanoma", "melanoma", "malignant"), ("nevus", "nevus", "benign"),
             ("vascular lesion", "unknown", "benign"))  # fmt: skip
    for kind, diagnosis, malignancy in kinds:
        for seed in range(num_each):
            number = len(rows)
            image = synthetic.lesion(100 + seed, (side, side), kind)
            Image.fromarray(image).save(folder / f"ISIC_{number}.jpg", quality=95)
            rows.append(f"ISIC_{number},IP_{number},{diagnosis},{malignancy}")
    table = "\n".join(rows) + "\n"
    (target / "ISIC_2020_Training_GroundTruth.csv").write_text(table)
    return target


def plan(dataset: Path, config: TrainConfig = CONFIG) -> RunPlan:
    """The plan of a run on this data set."""
    return RunPlan(config, (str(dataset),))


def make(
    work_dir: Path, models_dir: Path, model_id: str = "tiny-1", config: TrainConfig = CONFIG
) -> Card:
    """Train the tiny network on drawn lesions and add it to `models_dir`."""
    from melanoma_core.training import pipeline

    dataset = work_dir / "drawn"
    if not dataset.exists():
        draw_class_folders(dataset)
    return pipeline.run(
        plan(dataset, config), work_dir / model_id, models_dir, report=lambda line: None
    )
