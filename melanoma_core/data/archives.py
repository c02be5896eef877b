"""Untrusted zip archives, unpacked completely or refused.

`zipfile.extractall` cleans names, but it writes zip bombs out in full, follows overlapping entries,
and leaves files behind when it fails. Here every entry is checked before anything is written, bytes
are counted as they inflate, and the folder appears by a single rename.
"""

import hashlib
import os
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from melanoma_core.errors import DatasetError
from melanoma_core.paths import locked

MAX_MEMBERS = 40_000  # ISIC 2019, the largest public set of this kind, has 25,331 photographs
MAX_MEMBER_BYTES = 50_000_000
MAX_TOTAL_BYTES = 20_000_000_000
MAX_RATIO = 100  # photographs hardly compress; one-hot tables reach about 30
MIN_RATIO_BYTES = 1_000_000  # smaller entries of a high ratio are repetitive text, not bombs

_CHUNK = 1 << 20  # bytes read or inflated at a time
_ENTRY_SIGNATURE = b"PK\x01\x02"
_LOCAL_HEADER_BYTES = 30
_ENCRYPTED = 0x1  # bit of an entry's flags
_PARTIAL = ".partial-"  # prefix of unfinished folders


def open_folder(path: Path, cache_dir: Path) -> tuple[Path, str]:
    """The folder to read a data set from, unpacked if it is a zip.

    Args:
        path: a folder or zip.
        cache_dir: where zips are unpacked, once per content.

    Returns:
        The folder, and the zip's SHA-256, which is empty for a folder.

    Raises:
        DatasetError: nothing is there, or the archive is refused.
    """
    if path.is_dir():
        return path, ""
    if not path.is_file():
        raise DatasetError(
            f"There is no file or folder {path.name}. Choose a data set's zip or folder."
        )
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DatasetError(f"{path.name} cannot be read: {error.strerror}.") from error
    root = cache_dir / f"{plain_name(path.stem)}-{sha256[:16]}"
    return (root if root.is_dir() else unpack(path, root)), sha256


def plain_name(name: str) -> str:
    """A data set's name: the file's or folder's in lower case, letters, digits, `-` and `_`."""
    return re.sub(r"[^\w-]+", "-", name.lower()).strip("-") or "dataset"


def unpack(zip_path: Path, target_dir: Path) -> Path:
    """Unpack a zip into a new folder, completely or not at all.

    Processes that unpack into the same parent folder wait for each other, so any unfinished folder
    there was left by a killed process, and is removed. A target that another process has made
    meanwhile is kept.

    Args:
        zip_path: the archive; every error message has its name.
        target_dir: the folder to make, with its parent if that is missing.

    Returns:
        `target_dir`.

    Raises:
        DatasetError: the archive is damaged, unsafe or too large, or cannot be written out.
            Nothing is left behind.
    """
    name = zip_path.name
    try:
        _refuse_too_many_entries(zip_path)
        with zip_path.open("rb") as file, zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            starts = _check(name, entries, file, archive.start_dir)
            target_dir.parent.mkdir(parents=True, exist_ok=True)
            with locked(target_dir.parent):
                _clear_partial(target_dir.parent)
                if not target_dir.exists():
                    _write_folder(name, entries, starts, file, target_dir)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, zlib.error, EOFError) as error:
        raise DatasetError(
            f"{name} is not a zip archive, or is damaged ({error}). Download it or zip it again."
        ) from error
    except OSError as error:
        raise DatasetError(
            f"{name} could not be unpacked: {error.strerror or error}. "
            "Check that the file can be read and that the disk is not full."
        ) from error
    return target_dir


def _refuse_too_many_entries(zip_path: Path) -> None:
    """Count entries in the raw bytes: `zipfile` takes 10 µs per entry to open an archive."""
    num_entries, tail = 0, b""
    with zip_path.open("rb") as file:
        while chunk := file.read(8 * _CHUNK):
            num_entries += (tail + chunk).count(_ENTRY_SIGNATURE)
            tail = chunk[1 - len(_ENTRY_SIGNATURE) :]
            if num_entries > MAX_MEMBERS:
                raise DatasetError(
                    f"{zip_path.name} holds more than {MAX_MEMBERS:,} files. "
                    "Unpack it yourself and choose the folder, or split it into several zips."
                )


def _check(name: str, entries: list[zipfile.ZipInfo], file: IO[bytes], end: int) -> dict[str, int]:
    """Check every entry, and return where the data of each starts in the file."""
    num_bytes, num_compressed = 0, 0
    for entry in entries:
        problem = _problem_of(entry)
        if problem:
            raise _refusal(name, f"its entry {_shown(entry)} {problem}")
        num_bytes += entry.file_size
        num_compressed += entry.compress_size
    if num_bytes > MAX_TOTAL_BYTES:
        raise _refusal(name, f"it unpacks to more than {MAX_TOTAL_BYTES // 10**9} GB")
    if _is_bomb(num_bytes, num_compressed):
        raise _refusal(name, f"it unpacks to more than {MAX_RATIO} times its size")
    _refuse_clashes(name, entries)
    return _starts(name, entries, file, end)


def _problem_of(entry: zipfile.ZipInfo) -> str | None:
    name = entry.orig_filename  # `filename` is cut off at the first NUL
    parts = PurePosixPath(name).parts
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if "\0" in name or "\\" in name or re.match("[A-Za-z]:", name):
        return "has a NUL, a backslash or a drive in its name"
    if name.startswith("/") or ".." in parts or not parts:
        return "leads out of the folder that it would be unpacked to"
    if any(len(os.fsencode(part)) > 255 for part in parts):
        return "has a name longer than 255 bytes"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device, not a file"
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is compressed by a method other than deflate"
    if entry.file_size > MAX_MEMBER_BYTES:
        return f"is larger than {MAX_MEMBER_BYTES // 10**6} MB"
    if _is_bomb(entry.file_size, entry.compress_size):
        return f"unpacks to more than {MAX_RATIO} times its size"
    if entry.is_dir() and entry.file_size:
        return "is a folder with content"
    return None


def _is_bomb(num_bytes: int, num_compressed: int) -> bool:
    return num_bytes >= MIN_RATIO_BYTES and num_bytes > MAX_RATIO * num_compressed


def _refuse_clashes(name: str, entries: list[zipfile.ZipInfo]) -> None:
    """Refuse two entries of one name, and a file where another entry needs a folder."""
    paths: set[PurePosixPath] = set()
    files: set[PurePosixPath] = set()
    for entry in entries:
        path = PurePosixPath(entry.filename)
        if path in paths:
            raise _refusal(name, f"it contains {_shown(entry)} twice")
        paths.add(path)
        if not entry.is_dir():
            files.add(path)
    for path in paths:
        if not files.isdisjoint(path.parents):
            raise _refusal(name, f"“{path}” is inside a path that is a file in the same archive")


def _starts(name: str, entries: list[zipfile.ZipInfo], file: IO[bytes], end: int) -> dict[str, int]:
    """Where each entry's data starts; a 46 MB bomb of 4.5 PB shares bytes between entries."""
    starts = {}
    last_end = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        file.seek(min(max(entry.header_offset, 0), end))  # zip64 may declare up to 16 EB
        header = file.read(_LOCAL_HEADER_BYTES)
        if len(header) < _LOCAL_HEADER_BYTES or header[:4] != b"PK\x03\x04":
            raise _refusal(name, f"its entry {_shown(entry)} has no header where it should be")
        name_bytes = int.from_bytes(header[26:28], "little")
        extra_bytes = int.from_bytes(header[28:30], "little")
        start = entry.header_offset + _LOCAL_HEADER_BYTES + name_bytes + extra_bytes
        if entry.header_offset < last_end or start + entry.compress_size > end:
            raise _refusal(name, f"its entry {_shown(entry)} overlaps another")
        last_end = start + entry.compress_size
        starts[entry.filename] = start
    return starts


def _write_folder(
    name: str,
    entries: list[zipfile.ZipInfo],
    starts: dict[str, int],
    file: IO[bytes],
    target_dir: Path,
) -> None:
    unfinished = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=target_dir.parent))
    try:
        for entry in entries:
            path = unfinished / PurePosixPath(entry.filename)
            if entry.is_dir():
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as out:
                _write_member(name, entry, starts[entry.filename], file, out)
        os.chmod(
            unfinished, 0o755
        )  # mkdtemp makes 0700, which another user's server could not read
        os.sync()  # else a power cut could leave a finished folder of empty files
        os.rename(unfinished, target_dir)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _write_member(
    name: str, entry: zipfile.ZipInfo, start: int, file: IO[bytes], out: IO[bytes]
) -> None:
    """Write an entry; its size and checksum must be those that it declares.

    `ZipFile.open` stops at the declared size, so it would not notice a wrong one.
    """
    num_bytes, checksum = 0, 0
    for data in _inflate(entry, start, file):
        num_bytes += len(data)
        if num_bytes > entry.file_size:
            break
        checksum = zlib.crc32(data, checksum)
        out.write(data)
    if num_bytes != entry.file_size:
        raise _refusal(name, f"its entry {_shown(entry)} does not have the size that it declares")
    if checksum != entry.CRC:
        raise _refusal(name, f"its entry {_shown(entry)} is damaged (checksum)")


def _inflate(entry: zipfile.ZipInfo, start: int, file: IO[bytes]) -> Iterator[bytes]:
    """The entry's bytes, at most `_CHUNK` at a time."""
    file.seek(start)
    left = entry.compress_size
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    while left > 0:
        chunk = file.read(min(left, _CHUNK))
        if not chunk:
            raise EOFError("the archive ends too early")
        left -= len(chunk)
        if entry.compress_type == zipfile.ZIP_STORED:
            yield chunk
            continue
        while chunk and not inflater.eof:
            yield inflater.decompress(chunk, _CHUNK)
            chunk = inflater.unconsumed_tail
    if entry.compress_type == zipfile.ZIP_DEFLATED and left == 0:
        yield inflater.flush()


def _clear_partial(directory: Path) -> None:
    """Remove what a killed process left; the caller holds the directory's lock."""
    for unfinished in directory.glob(f"{_PARTIAL}*"):
        shutil.rmtree(unfinished)


def _shown(entry: zipfile.ZipInfo) -> str:
    """The entry's name in quotes, printable and cut to 80 characters."""
    return "“" + "".join(c if c.isprintable() else "�" for c in entry.orig_filename[:80]) + "”"


def _refusal(name: str, problem: str) -> DatasetError:
    return DatasetError(
        f"{name} was refused: {problem}. Nothing of it was kept. "
        "Unpack it with a program that you trust and zip the folder again."
    )
