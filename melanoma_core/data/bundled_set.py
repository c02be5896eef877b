"""The bundled data set: facts about the nine-class set, without its photographs.

One row per file of the set that the project started from: its folder, a checksum of its pixels,
and the official labels of its image id. Ages, sexes, sites and lesions come from HAM10000
(Tschandl, 2018, CC BY-NC 4.0) and ISIC 2017 (CC0).
Made by `python -m benchmarks.data.bundled_table`.
"""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import TYPE_CHECKING

from melanoma_core import paths
from melanoma_core.data import published_labels
from melanoma_core.data.datasets import Dataset
from melanoma_core.data.schema import COLUMNS, FILE, PIXELS, SIZE

if TYPE_CHECKING:
    import pandas as pd

PATH = Path(__file__).resolve().parent / "files" / "nine_classes.csv.gz"
NAME = "nine-class set, facts only"
# Extra columns beside `schema.COLUMNS`.
FACTS = (
    FILE,  # without the outermost folder
    *reversed(SIZE),
    PIXELS,  # first 16 hex digits of the SHA-256 of size and decoded pixels
    "ham10000",  # the value of HAM10000's column dx, if it has the id
    "isic2017",  # melanoma, seborrheic_keratosis or neither, if ISIC 2017 has the id
)


def read(path: Path = PATH) -> Dataset:
    """The bundled data set, with the extra columns `FACTS` and no paths."""
    import pandas as pd

    data = path.read_bytes()
    table = pd.read_csv(io.BytesIO(gzip.decompress(data)), dtype=object)
    table = table.astype({"age_approx": "float64", "width": "int64", "height": "int64"})
    table = table.where(table.notna(), None).astype({"age_approx": "float64"})
    table["path"] = None
    num_listed = int(table[["ham10000", "isic2017"]].notna().any(axis=1).sum())
    return Dataset(
        name=NAME,
        table=table[[*COLUMNS, *FACTS]],
        notes=(
            f"Photographs filed under two diagnoses: {num_contradictory(table):,}.",
            "Lesions, ages, sexes and sites come from HAM10000 and ISIC 2017, which list "
            f"{num_listed:,} of the files.",
        ),
        license="facts about ISIC Archive images; HAM10000 (CC BY-NC 4.0), ISIC 2017 (CC0)",
        sha256=paths.sha256(data),
    )


def references(table: pd.DataFrame) -> tuple[Dataset, ...]:
    """The HAM10000 and ISIC 2017 labels of the image ids in the bundled table.

    They cover no other ids, so they label photographs of another data set only if those are also
    in this one.
    """
    return tuple(
        Dataset(
            name=name,
            table=labeled.assign(
                diagnosis=labeled[name].map(published_labels.label_of_word), source=name, split=None
            )[list(COLUMNS)],
            notes=(),
            license=license,
            sha256=paths.sha256(labeled[["image_id", name]].to_csv(index=False).encode()),
            is_official=True,
            is_ak_with_bowen=name == "ham10000",
        )
        for name, license in (("ham10000", "CC BY-NC 4.0"), ("isic2017", "CC0"))
        for labeled in [table[table[name].notna()].drop_duplicates("image_id")]
    )


def num_contradictory(table: pd.DataFrame) -> int:
    """Number of image ids with more than one diagnosis."""
    return int((table.groupby("image_id")["diagnosis"].nunique() > 1).sum())


def pack(table: pd.DataFrame) -> bytes:
    """The file that `read` reads; the same table always gives the same bytes."""
    columns = [column for column in (*COLUMNS, *FACTS) if column != "path"]
    text = table[columns].to_csv(index=False, lineterminator="\n")
    return gzip.compress(text.encode(), compresslevel=9, mtime=0)
