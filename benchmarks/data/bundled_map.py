"""The map of the embedded data set by the model in use, made from the photographs.

    python -m benchmarks.data.bundled_map ../shared/data

Of every file: two coordinates, whether it was held out from the model, and how many of its nearest
others have each diagnosis; and the closest pairs of melanoma and nevus, by name. To be run again
when another model is put into use. No photograph, and no part of one, goes into it.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.data.bundled_table import file_names
from melanoma_core import paths
from melanoma_core.data import bundled_set, datasets
from melanoma_core.data.datasets import Dataset
from melanoma_core.evaluation import embedding_maps
from melanoma_core.models import predict


def of_embedded(model: predict.Model, nine: Dataset, models_dir: Path) -> bytes:
    """The file that `embedding_maps.read` takes.

    Args:
        model: whose embedding is drawn.
        nine: the nine-class set with its photographs.
        models_dir: where the model is kept, with the photographs that were held out from it.
    """
    facts = bundled_set.read().table.set_index("file")
    names = file_names(nine.table)
    # The folders name no lesion; the official tables do.
    table = nine.table.assign(lesion_id=names.map(facts["lesion_id"]).astype("object"))
    held_out = embedding_maps.held_out_ids(models_dir, model.card.model_id, nine.name)
    made = embedding_maps.of_dataset(model, replace(nine, table=table), held_out)
    return embedding_maps.to_bytes(made, names)


def main() -> None:
    """Write the map beside the core and say what is in it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data_dir", type=Path, help="holds isic9.zip")
    parser.add_argument("--out", type=Path, default=embedding_maps.PATH)
    options = parser.parse_args()
    started = time.monotonic()
    models_dir = paths.models_dir()
    model, problem = predict.load_champion(models_dir)
    if problem:
        parser.error(problem)
    data = of_embedded(model, datasets.read(options.data_dir / "isic9.zip"), models_dir)
    paths.write_atomic(options.out, data)
    made = embedding_maps.read(options.out)
    print(f"{made.model_id}: {len(made.points):,} files, {len(data):,} bytes")
    is_held_out = made.points["is_held_out"].to_numpy(bool)
    for words, asked in (("all", None), ("held out", is_held_out), ("taught", ~is_held_out)):
        for of, among in (("MEL", "NV"), ("NV", "MEL"), ("MEL", None), ("NV", None)):
            mix = embedding_maps.overlap(made.points, of, among, asked)
            print(
                f"{words}: of the {made.num_neighbors} nearest others of {of} "
                f"({mix.proportion.num_photographs}), {among or 'another diagnosis'}: "
                f"{mix.proportion.value:.3f} "
                f"({mix.proportion.low:.3f} to {mix.proportion.high:.3f}); "
                f"by chance {mix.chance:.3f}"
            )
    print(f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
