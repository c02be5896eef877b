"""Make the table of facts about the nine-class set that comes with the app.

    python -m benchmarks.data.bundled_table ../shared/data

For every file: id, folder, split, size and a checksum of its pixels. For ids that HAM10000 or ISIC
2017 contain: lesion, age, sex, site and the diagnosis in the published table. The table contains no
photograph or part of one.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from melanoma_core import paths
from melanoma_core.data import archives, bundled_set, csv_tables, datasets
from melanoma_core.data.datasets import Dataset
from melanoma_core.images import reading

_ISIC2017_LABELS = {"MEL": "melanoma", "SK": "seborrheic_keratosis", "NV": "neither"}
_PUBLISHED = ("lesion_id", "age_approx", "sex", "anatom_site_general")


def table_of(
    nine: Dataset, ham10000: Dataset, dx: dict[str, str], isic2017: Dataset
) -> pd.DataFrame:
    """The table of `bundled_set`.

    Args:
        nine: the nine-class set, one row per file; the files are read for their pixels.
        ham10000: facts about some of its ids.
        dx: HAM10000's own label for each of its ids.
        isic2017: facts about some of its ids.
    """
    table = nine.table.copy()
    ids = table["image_id"]
    for published in (ham10000.table, isic2017.table):
        by_id = published.drop_duplicates("image_id").set_index("image_id")
        for column in _PUBLISHED:
            table[column] = table[column].where(table[column].notna(), ids.map(by_id[column]))
    table["file"] = file_names(table)
    files = map(Path, table["path"])
    table["width"], table["height"], table["pixels"] = zip(*map(_pixels, files), strict=True)
    table["ham10000"] = ids.map(dx)
    codes = isic2017.table.set_index("image_id")["diagnosis"]
    table["isic2017"] = ids.map(codes).map(_ISIC2017_LABELS)
    table["source"] = bundled_set.NAME
    return table


def file_names(table: pd.DataFrame) -> pd.Series:
    """Each row's path inside the set, without the wrapping folder."""
    return table["path"].map(lambda path: "/".join(Path(path).parts[-3:]))


def _pixels(path: Path) -> tuple[int, int, str]:
    image = reading.read_file(path)
    height, width = image.shape[:2]
    data = np.array([height, width], "<u4").tobytes() + image.tobytes()
    return width, height, paths.sha256(data)[:16]


def main() -> None:
    """Write the table into the core's data files, and print a summary."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data_dir", type=Path, help="folder with the three archives")
    parser.add_argument("--out", type=Path, default=bundled_set.PATH)
    options = parser.parse_args()
    archive_names = ("isic9.zip", "ham10000.zip", "isic2017.zip")
    nine, ham10000, isic2017 = (datasets.read(options.data_dir / name) for name in archive_names)
    root, _ = archives.open_folder(options.data_dir / "ham10000.zip", paths.datasets_dir())
    sheet = csv_tables.read(next(root.rglob("HAM10000_metadata.csv")), "HAM10000_metadata.csv")
    dx = {cells["image_id"]: cells["dx"] for _, cells in sheet.records()}
    table = table_of(nine, ham10000, dx, isic2017)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    paths.write_atomic(options.out, bundled_set.pack(table))
    print(f"{len(table):,} files, {table['image_id'].nunique():,} ids")
    for column in (*_PUBLISHED, "ham10000", "isic2017"):
        print(f"{column}: known for {table[column].notna().sum():,}")


if __name__ == "__main__":
    main()
