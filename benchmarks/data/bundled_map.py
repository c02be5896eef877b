"""Make the map of the bundled data set with the model in use.

    python -m benchmarks.data.bundled_map ../shared/data

For every file: two coordinates, whether it was held out from the model, and how many of its nearest
neighbors have each diagnosis; also the names of the closest pairs of melanoma and nevus. Run it
again after another model is promoted. The map contains no photograph or part of one.
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


def make_map(model: predict.Model, nine_class: Dataset, models_dir: Path) -> bytes:
    """The content of the file that `embedding_maps.read` reads.

    Args:
        model: provides the embeddings.
        nine_class: the nine-class set with its photographs.
        models_dir: folder of the model, which also lists the photographs held out from it.
    """
    facts = bundled_set.read().table.set_index("file")
    names = file_names(nine_class.table)
    # The folders have no lesion ids; the published tables do.
    table = nine_class.table.assign(lesion_id=names.map(facts["lesion_id"]).astype("object"))
    held_out = embedding_maps.held_out_ids(models_dir, model.card.model_id, nine_class.name)
    embedding_map = embedding_maps.of_dataset(model, replace(nine_class, table=table), held_out)
    return embedding_maps.to_bytes(embedding_map, names)


def main() -> None:
    """Write the map into the core's data files, and print a summary."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data_dir", type=Path, help="folder with isic9.zip")
    parser.add_argument("--out", type=Path, default=embedding_maps.PATH)
    options = parser.parse_args()
    started = time.monotonic()
    models_dir = paths.models_dir()
    model, problem = predict.load_champion(models_dir)
    if problem:
        parser.error(problem)
    data = make_map(model, datasets.read(options.data_dir / "isic9.zip"), models_dir)
    paths.write_atomic(options.out, data)
    embedding_map = embedding_maps.read(options.out)
    points = embedding_map.points
    print(f"{embedding_map.model_id}: {len(points):,} files, {len(data):,} bytes")
    is_held_out = points["is_held_out"].to_numpy(bool)
    for part, rows in (("all", None), ("held out", is_held_out), ("trained on", ~is_held_out)):
        for of, among in (("MEL", "NV"), ("NV", "MEL"), ("MEL", None), ("NV", None)):
            mix = embedding_maps.overlap(points, of, among, rows)
            print(
                f"{part}: of the {embedding_map.num_neighbors} nearest neighbors of {of} "
                f"({mix.proportion.num_photographs}), {among or 'another diagnosis'}: "
                f"{mix.proportion.value:.3f} "
                f"({mix.proportion.low:.3f} to {mix.proportion.high:.3f}); "
                f"by chance {mix.chance:.3f}"
            )
    print(f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
