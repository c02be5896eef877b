"""Zips of class folders with small pictures: valid ones, and ones that the pages must refuse."""

import io
import zipfile

from PIL import Image

from tests.support.made_sets import HAM_HEADER, lines


def png(color, size=(80, 64)):
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, "PNG")
    return file.getvalue()


def zip_of(**files):
    """A zip of files by name."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def class_folders(num_nevi=14, **others):
    """A zip of nevi in different colors and one melanoma."""
    nevi = {f"Train/nevus/n{k:02}.png": png((90 + k, 90, 90)) for k in range(num_nevi)}
    return zip_of(**{"Test/melanoma/m.png": png((40, 30, 30))}, **nevi, **others)


def bomb():
    """A zip that unpacks to about a thousand times its size."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("nevus/a.png", bytes(3_000_000))
    return file.getvalue()


def without_column(column):
    """A zip of HAM10000 with one photograph, and a table without this column."""
    header = HAM_HEADER.split(",")
    cells = ["HAM_1", "ISIC_1", "nv", "histo", "45", "male", "back"]
    columns = [number for number, name in enumerate(header) if name != column]
    table = lines(*(",".join(row[number] for number in columns) for row in (header, cells)))
    return zip_of(**{"HAM10000_metadata.csv": table, "HAM10000_images/ISIC_1.jpg": b""})


def refuses(shown, words, name):
    """True if an error on a page has these words and names the archive or its table."""
    plain = shown.replace("\\", "").replace("*", "")
    return words in plain and (name in plain or "HAM10000_metadata.csv" in plain)


REFUSED = {  # by what is wrong: the archive, and words of the error
    "no zip": (b"no zip", "is not a zip archive"),
    "leads out": (zip_of(**{"../out/nevus/a.png": b""}), "leads out of the folder"),
    "bomb": (bomb(), "unpacks to more than 100 times"),
    "no photographs": (zip_of(**{"notes/readme.txt": b"nothing"}), "holds no photographs"),
    "no diagnoses": (without_column("dx"), "has no column of diagnoses; its columns are"),
    "no lesions": (without_column("lesion_id"), "has no column lesion_id; its columns are"),
    "no ids": (without_column("image_id"), "has no column image_id; its columns are"),
    "unknown class": (zip_of(**{"wart/a.png": b"", "nevus/b.png": b""}), "is not a diagnosis"),
}  # fmt: skip
