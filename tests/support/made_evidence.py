"""Evidence for an audit, made from rows, so that tests of findings need no photographs."""

import numpy as np
import pandas as pd

from melanoma_core.audit import findings
from melanoma_core.data.datasets import Dataset
from melanoma_core.data.schema import COLUMNS
from melanoma_core.images.fingerprints import SIDE, Fingerprints
from melanoma_core.images.near_duplicates import NearCopy


def dataset(*rows, name="made", is_official=False, is_ak_with_bowen=False) -> Dataset:
    """A data set from rows of file name, diagnosis and, optionally, split and lesion."""
    records = []
    for row in rows:
        stem, diagnosis, split, lesion = (*row, None, None)[:4]
        records.append(
            dict.fromkeys(COLUMNS)
            | {
                "image_id": stem.split("(")[0].strip(),
                "lesion_id": lesion,
                "diagnosis": diagnosis,
                "source": name,
                "path": f"/data/{stem}.jpg",
                "split": split,
            }
        )
    table = pd.DataFrame(records, columns=COLUMNS, dtype=object)
    return Dataset(
        name=name,
        table=table.astype({"age_approx": "float64"}),
        notes=(),
        license="not stated",
        sha256="",
        is_official=is_official,
        is_ak_with_bowen=is_ak_with_bowen,
    )


def of(*rows, pixels="", near=(), references=(), refused=None, sizes=None, colors=None):
    """Evidence from rows as in `dataset`.

    Args:
        pixels: one letter per row; rows with the same letter have the same pixels. All differ if
            empty.
        near: pairs of rows that are near copies.
        refused: reason by row.
        sizes: height and width of each row; 450 × 600 by default.
        colors: mean RGB of each row; gray by default.
    """
    num_rows, refused = len(rows), refused or {}
    prints = Fingerprints(
        sha256=tuple(
            None if row in refused else (pixels[row] if pixels else str(row))
            for row in range(num_rows)
        ),
        thumbnails=np.zeros((num_rows, SIDE, SIDE), np.uint8),
        sizes=np.array(sizes if sizes is not None else [(450, 600)] * num_rows, np.int32),
        colors=np.array(colors if colors is not None else [(128,) * 3] * num_rows, np.float32),
        refused=refused,
    )
    copies = [NearCopy(first, second, 1.0, 1.0) for first, second in near]
    return findings.evidence(dataset(*rows), prints, copies, references)
