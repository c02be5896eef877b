"""Promise 9: unsafe archives are refused, with nothing written outside or left behind."""

import io
import multiprocessing
import os
import random
import signal
import stat
import struct
import time
import zipfile
import zlib
from pathlib import Path

import pytest

from melanoma_core.data import archives
from melanoma_core.errors import DatasetError


def zip_of(*members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED):
    """A zip's bytes; `zipfile` accepts any name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


def member(name: str, *, mode: int | None = None) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.filename = name  # the constructor cuts at NUL
    info.compress_type = zipfile.ZIP_DEFLATED
    if mode is not None:
        info.create_system = 3
        info.external_attr = mode << 16
    return info


def renamed(old: bytes, new: bytes) -> bytes:
    """A zip of one member, with its name overwritten by another of the same length."""
    assert len(old) == len(new)
    return zip_of((old.decode(), b"x")).replace(old, new)


def with_central(data: bytes, offset: int, value: bytes) -> bytes:
    """The archive with bytes of its first central entry overwritten."""
    start = data.index(b"PK\x01\x02") + offset
    return data[:start] + value + data[start + len(value) :]


def overlapping() -> bytes:
    """Two central entries that share one local entry, as in the best zip bombs."""
    data = zip_of(("a.jpg", b"a" * 50), ("b.jpg", b"b" * 50))
    second = data.rindex(b"PK\x01\x02")
    return data[: second + 42] + struct.pack("<I", 0) + data[second + 46 :]


def more_than_declared() -> bytes:
    """An entry that inflates to 50 MB and declares 10 bytes, with their checksum."""
    data = zip_of(("a.jpg", b"\0" * 50_000_000))
    data = with_central(data, 24, struct.pack("<I", 10))
    return with_central(data, 16, struct.pack("<I", zlib.crc32(b"\0" * 10)))


def with_every_size(data: bytes, num_bytes: int, num_packed: int) -> bytes:
    """The archive with the same two sizes declared in every central entry."""
    parts = data.split(b"PK\x01\x02")
    sizes = struct.pack("<II", num_packed, num_bytes)
    return b"PK\x01\x02".join([parts[0], *(p[:16] + sizes + p[24:] for p in parts[1:])])


def deflated(data: bytes) -> bytes:
    """The compressed bytes that `zip_of` makes of this."""
    packer = zlib.compressobj(-1, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


NOISE = random.Random(1).randbytes(1000)
REFUSED = {
    "absolute": (zip_of(("/etc/a.jpg", b"x")), "leads out"),
    "parent": (zip_of(("../a.jpg", b"x")), "leads out"),
    "parent inside": (zip_of(("set/../../a.jpg", b"x")), "leads out"),
    "backslash": (zip_of(("..\\a.jpg", b"x")), "backslash"),
    "drive": (zip_of(("C:/a.jpg", b"x")), "drive"),
    "drive without slash": (zip_of(("C:a.jpg", b"x")), "drive"),
    "NUL": (renamed(b"a.jpg_.exe", b"a.jpg\0.exe"), "NUL"),
    "long name": (zip_of(("a" * 300 + ".jpg", b"x")), "255 bytes"),
    "symbolic link": (zip_of((member("a.jpg", mode=stat.S_IFLNK | 0o777), b"/etc/passwd")), "link"),
    "device": (zip_of((member("a.jpg", mode=stat.S_IFCHR | 0o666), b"")), "device"),
    "pipe": (zip_of((member("a.jpg", mode=stat.S_IFIFO | 0o666), b"")), "device"),
    "encrypted": (with_central(zip_of(("a.jpg", b"x")), 8, b"\x01\x00"), "encrypted"),
    "bzip2": (zip_of(("a.jpg", b"x"), method=zipfile.ZIP_BZIP2), "deflate"),
    "folder with content": (renamed(b"ab", b"a/"), "folder with content"),
    "file as a folder": (zip_of(("a", b"x"), ("a/b.jpg", b"x")), "that is a file"),
    "same path spelt twice": (zip_of(("a/b.jpg", b"x"), ("a/./b.jpg", b"y")), "twice"),
    "overlap": (overlapping(), "overlaps"),
    "huge member": (zip_of(("a.jpg", b"\0" * 50_000_001)), "larger than 50 MB"),
    "bomb": (zip_of(("a.jpg", b"\0" * 40_000_000)), "100 times"),
    "bomb in small pieces": (
        zip_of(*((f"{i}.jpg", b"\0" * 999_000) for i in range(20))),
        "100 times",
    ),
    "20 GB in all": (
        # Refused for the declared sizes, which need not be true.
        with_every_size(
            zip_of(*((f"{i}.jpg", NOISE) for i in range(500)), method=zipfile.ZIP_STORED),
            num_bytes=50_000_000,
            num_packed=40_000_000,
        ),
        "20 GB",
    ),
    "more than declared": (more_than_declared(), "size"),
    "less than declared": (with_central(zip_of(("a", b"xyz")), 24, b"\x04\0\0\0"), "size"),
    "stored with another size": (
        with_central(zip_of(("a", b"xyz"), method=zipfile.ZIP_STORED), 24, b"\x02\0\0\0"),
        "size",
    ),
    "checksum": (with_central(zip_of(("a", b"xyz")), 16, b"\0\0\0\0"), "checksum"),
    "no local header": (zip_of(("a", b"xyz")).replace(b"PK\x03\x04", b"PK\x03\x05"), "no header"),
    "not a zip": (b"<!DOCTYPE html>" * 100, "not a zip archive"),
    "empty file": (b"", "not a zip archive"),
    "cut off": (zip_of(("a.jpg", NOISE))[:-30], "not a zip archive"),
    "damaged inside": (
        zip_of(("a.jpg", NOISE), method=zipfile.ZIP_DEFLATED).replace(NOISE[:20], b"\xff" * 20),
        "checksum",
    ),
    "no deflate stream": (
        zip_of(("a", b"abc" * 99)).replace(
            deflated(b"abc" * 99), b"\xff" * len(deflated(b"abc" * 99))
        ),
        "damaged",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_unsafe_archive_is_refused_and_leaves_nothing(kind, tmp_path):
    data, reason = REFUSED[kind]
    zip_path = tmp_path / "set.zip"
    zip_path.write_bytes(data)
    started = time.monotonic()
    with pytest.raises(DatasetError, match=reason) as refusal:
        archives.unpack(zip_path, tmp_path / "cache" / "set")
    assert time.monotonic() - started < 2
    assert "set.zip" in str(refusal.value)
    assert str(tmp_path) not in str(refusal.value)
    left = sorted(path.name for path in tmp_path.rglob("*"))
    assert left in (["set.zip"], ["cache", "set.zip"])


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_two_entries_of_one_name_are_refused(tmp_path):
    (tmp_path / "set.zip").write_bytes(zip_of(("a.jpg", b"x"), ("a.jpg", b"y")))
    with pytest.raises(DatasetError, match="twice"):
        archives.unpack(tmp_path / "set.zip", tmp_path / "set")


def test_more_than_40000_members_are_refused(tmp_path):
    entry = zip_of(("a", b""))
    central = entry[entry.index(b"PK\x01\x02") : entry.index(b"PK\x05\x06")]
    # Half a million entries in the directory, but one according to the end record.
    data = entry.replace(central, central * 500_000)
    end = data.rindex(b"PK\x05\x06")
    data = data[: end + 12] + struct.pack("<I", len(central) * 500_000) + data[end + 16 :]
    (tmp_path / "set.zip").write_bytes(data)
    started = time.monotonic()
    with pytest.raises(DatasetError, match="more than 40,000 files"):
        archives.unpack(tmp_path / "set.zip", tmp_path / "set")
    assert time.monotonic() - started < 2


def test_a_valid_archive_is_unpacked_unchanged(tmp_path):
    data = zip_of(
        ("set/a.jpg", NOISE),
        ("set/Zürich (1).jpg", b"x"),
        ("set/empty/", b""),
        ("set/table.csv", b"image,MEL\n" * 5000),  # compresses 400 times and is not a bomb
        (member("set/plain.jpg", mode=stat.S_IFREG | 0o600), b""),
    )
    (tmp_path / "set.zip").write_bytes(data)
    target = archives.unpack(tmp_path / "set.zip", tmp_path / "cache" / "set")
    files = {p.relative_to(target).as_posix(): p for p in target.rglob("*")}
    assert set(files) == {
        "set",
        "set/a.jpg",
        "set/Zürich (1).jpg",
        "set/empty",
        "set/table.csv",
        "set/plain.jpg",
    }
    assert files["set/a.jpg"].read_bytes() == NOISE
    assert files["set/table.csv"].read_bytes() == b"image,MEL\n" * 5000
    assert files["set/empty"].is_dir()


def test_stored_entries_are_unpacked(tmp_path):
    (tmp_path / "set.zip").write_bytes(zip_of(("a.jpg", NOISE), method=zipfile.ZIP_STORED))
    target = archives.unpack(tmp_path / "set.zip", tmp_path / "set")
    assert (target / "a.jpg").read_bytes() == NOISE


def test_an_existing_folder_is_kept(tmp_path):
    (tmp_path / "set.zip").write_bytes(zip_of(("a.jpg", b"x")))
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine.jpg").write_bytes(b"y")
    archives.unpack(tmp_path / "set.zip", tmp_path / "set")
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["mine.jpg"]


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    def disk_full(*args):
        raise OSError(28, "No space left on device")

    (tmp_path / "set.zip").write_bytes(zip_of(("a.jpg", b"x")))
    monkeypatch.setattr(archives, "_write_member", disk_full)
    with pytest.raises(DatasetError, match="No space left on device"):
        archives.unpack(tmp_path / "set.zip", tmp_path / "cache" / "set")
    assert list((tmp_path / "cache").iterdir()) == []


def _unpack_and_die(zip_path: Path, target_dir: Path) -> None:
    def die(*args):
        os.kill(os.getpid(), signal.SIGKILL)

    archives._write_member = die
    archives.unpack(zip_path, target_dir)


def test_files_of_a_killed_process_are_removed_by_the_next_one(tmp_path):
    cache = tmp_path / "cache"
    (tmp_path / "set.zip").write_bytes(zip_of(("a.jpg", b"x")))
    process = multiprocessing.get_context("spawn").Process(
        target=_unpack_and_die, args=(tmp_path / "set.zip", cache / "set")
    )
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert [path.name for path in cache.iterdir()] != []  # the unfinished folder
    assert not (cache / "set").exists()
    archives.unpack(tmp_path / "set.zip", cache / "set")
    assert [path.name for path in cache.iterdir()] == ["set"]
