"""The data set that the app carries in itself: facts of the nine-class set, no photographs.

One row a file of the set that the project started from: where it is filed, a checksum of its
pixels, and what the official tables say of the same id. Ages, sexes, sites and lesions are
HAM10000's (Tschandl, 2018, CC BY-NC 4.0) and ISIC 2017's (CC0).
`python -m benchmarks.data.bundled_table` makes it.
"""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import TYPE_CHECKING

from melanoma_core import paths
from melanoma_core.data import published_sets
from melanoma_core.data.datasets import Dataset
from melanoma_core.data.schema import COLUMNS, FILE, PIXELS, SIZE

if TYPE_CHECKING:
    import pandas as pd

PATH = Path(__file__).resolve().parent / "files" / "nine_classes.csv.gz"
NAME = "nine-class set, facts only"
# Beside `datasets.COLUMNS` without the path.
FACTS = (
    FILE,  # without the wrapping folder
    *reversed(SIZE),
    PIXELS,  # first 16 hex digits of the SHA-256 of size and decoded pixels
    "ham10000",  # the word of HAM10000's column dx, where it has the id
    "isic2017",  # melanoma, seborrheic_keratosis or neither, where ISIC 2017 has the id
)


def read(path: Path = PATH) -> Dataset:
    """The embedded data set; its rows have no path, and the columns of `FACTS` besides."""
    import pandas as pd

    data = path.read_bytes()
    table = pd.read_csv(io.BytesIO(gzip.decompress(data)), dtype=object)
    table = table.astype({"age_approx": "float64", "width": "int64", "height": "int64"})
    table = table.where(table.notna(), None).astype({"age_approx": "float64"})
    table["path"] = None
    num_known = int(table[["ham10000", "isic2017"]].notna().any(axis=1).sum())
    return Dataset(
        name=NAME,
        table=table[[*COLUMNS, *FACTS]],
        notes=(
            f"Photographs filed under two diagnoses: {num_contradictory(table):,}.",
            "Lesions, ages, sexes and sites are those of HAM10000 and ISIC 2017, which know "
            f"the ids of {num_known:,} files.",
        ),
        license="facts of ISIC Archive images; HAM10000 (CC BY-NC 4.0), ISIC 2017 (CC0)",
        sha256=paths.sha256(data),
    )


def references(table: pd.DataFrame) -> tuple[Dataset, ...]:
    """What HAM10000 and ISIC 2017 say of the ids in the embedded table, as references.

    They know these ids alone: of another data set's photographs, only those that are here too.
    """
    return tuple(
        Dataset(
            name=name,
            table=known.assign(
                diagnosis=known[name].map(published_sets.code), source=name, split=None
            )[list(COLUMNS)],
            notes=(),
            license=license,
            sha256=paths.sha256(known[["image_id", name]].to_csv(index=False).encode()),
            is_official=True,
            is_ak_with_bowen=name == "ham10000",
        )
        for name, license in (("ham10000", "CC BY-NC 4.0"), ("isic2017", "CC0"))
        for known in [table[table[name].notna()].drop_duplicates("image_id")]
    )


def num_contradictory(table: pd.DataFrame) -> int:
    """How many image ids stand under more than one diagnosis."""
    return int((table.groupby("image_id")["diagnosis"].nunique() > 1).sum())


def packed(table: pd.DataFrame) -> bytes:
    """The table as `read` takes it; the same table gives the same bytes."""
    columns = [column for column in (*COLUMNS, *FACTS) if column != "path"]
    text = table[columns].to_csv(index=False, lineterminator="\n")
    return gzip.compress(text.encode(), compresslevel=9, mtime=0)
