"""Small data sets without images: the files contain text, as reading a data set decodes none."""

import zipfile
from pathlib import Path

HAM_HEADER = "lesion_id,image_id,dx,dx_type,age,sex,localization"


def made(root: Path, *files: str, **texts: str) -> Path:
    """A folder of files that contain their own name; `NAME=text` adds NAME.csv."""
    for name in files:
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
    for name, text in texts.items():
        (root / f"{name}.csv").write_text(text)
    return root


def zipped(root: Path, zip_path: Path) -> Path:
    """A zip of a folder's content, including empty folders."""
    with zipfile.ZipFile(zip_path, "w") as archive:
        for path in sorted(root.rglob("*")):
            archive.write(path, path.relative_to(root))
    return zip_path


def lines(*rows: str) -> str:
    """The text of a CSV file with these rows."""
    return "\n".join(rows) + "\n"
