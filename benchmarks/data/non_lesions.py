"""Collect pictures that show no lesion: `python -m benchmarks.data.non_lesions OUT_DIR`.

They come from Debian packages (downloaded and unpacked, not installed), from Python packages, and
from Chromium (Debian's package `chromium`), which draws pages of the app and of a handbook. All
are under free licenses, named in each package; none is committed. A detector is fitted on
OUT_DIR/fit; the sources of OUT_DIR/report are for figures alone.
"""

import argparse
import io
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from benchmarks.serving import web_servers, web_visitors
from melanoma_core.errors import MelanomaError
from melanoma_core.images import reading

LONGEST_PX = 512
PER_KIND = 60  # pictures of one kind from one source, spread evenly over its files
_SHARE = "usr/share"


@dataclass(frozen=True)
class Source:
    """A package, and which of its files are pictures of what."""

    name: str
    role: str  # "fit" or "report"
    kinds: dict[str, str]  # kind → pattern of file names, relative to the unpacked package
    per_kind: int = PER_KIND


_STAMPS = f"{_SHARE}/tuxpaint/stamps"
_CLIP_ART = f"{_SHARE}/openclipart/png"
_ICONS = f"{_SHARE}/icons/oxygen/base/128x128"
DEBIAN = (
    Source(
        "tuxpaint-stamps-default",
        "fit",
        {
            kind: f"{_STAMPS}/{kind}/**/*.png"
            for kind in (
                "animals",
                "clothes",
                "food",
                "hobbies",
                "household",
                "medical",
                "people",
                "plants",
                "seasonal",
                "space",
                "sports",
                "symbols",
                "town",
                "vehicles",
            )
        },
        150,
    ),
    Source("gnome-backgrounds", "fit", {"backgrounds": f"{_SHARE}/backgrounds/**/*.*"}),
    Source("lomiri-wallpapers-16.04", "fit", {"backgrounds": f"{_SHARE}/**/*.jpg"}),
    Source("gimp-data", "fit", {"patterns": f"{_SHARE}/gimp/2.0/patterns/**/*.pat"}),
    Source("colobot-common-textures", "fit", {"textures": f"{_SHARE}/games/**/*.png"}, 150),
    Source("nexuiz-textures", "fit", {"textures": "**/textures/**/*[!_bgmps].jpg"}, 250),
    Source("lugaru-data", "fit", {"textures": f"{_SHARE}/games/lugaru/Textures/*.*"}, 120),
    Source("bzflag-data", "fit", {"textures": f"{_SHARE}/games/bzflag/*.png"}),
    Source(
        "extremetuxracer-data",
        "fit",
        {
            "terrains": f"{_SHARE}/games/etr/terrains/*.png",
            "skies": f"{_SHARE}/games/etr/env/*/*/*.*",
        },
    ),
    Source("neverball-data", "fit", {"scenes": f"{_SHARE}/games/neverball/shot-*/*.jpg"}),
    Source("ukui-wallpapers", "fit", {"backgrounds": f"{_SHARE}/backgrounds/*.*"}),
    Source(
        "openclipart-png",
        "report",
        {
            f"clip art of {kind}": f"{_CLIP_ART}/{kind}/**/*.png"
            for kind in ("animals", "buildings", "food", "people", "plants", "tools")
        },
    ),
    Source("mate-backgrounds", "report", {"backgrounds": f"{_SHARE}/backgrounds/**/*.*"}),
    Source(
        "plasma-workspace-wallpapers",
        "report",
        {"backgrounds": f"{_SHARE}/wallpapers/*/contents/screenshot.*"},
    ),
    Source("krita-data", "report", {"patterns": f"{_SHARE}/krita/patterns/*.pat"}),
    Source(
        "openarena-081-textures",
        "report",
        {"textures": "**/textures/*/*.jpg", "skies": "**/env/*/*.jpg"},
        100,
    ),
    Source("kgeography-data", "report", {"maps": f"{_SHARE}/kgeography/*.png"}),
    Source("kstars-data", "report", {"planets": f"{_SHARE}/kstars/textures/*.png"}, 20),
    Source(
        "oxygen-icon-theme",
        "report",
        {"icons": f"{_ICONS}/[ade][pec][pvt]*/*.png"},  # apps, actions, devices
    ),
)
PYTHON = (
    Source("scikit-learn", "fit", {"photographs": "sklearn/datasets/images/*.jpg"}),
    Source("streamlit", "fit", {"logos": "streamlit/static/**/*.[ps][nv]g"}),
    Source("scikit-image", "report", {"scikit-image": "skimage/data/*.*"}),
    Source("matplotlib", "report", {"plots and logos": "matplotlib/mpl-data/**/*.[pj][np]g"}),
    Source("pydicom", "report", {"scans": "pydicom/data/test_files/*.dcm"}),
)


def main() -> None:
    """Collect the pictures into OUT_DIR/<fit or report>/<source>/<kind>/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out_dir", type=Path)
    out_dir = parser.parse_args().out_dir
    with tempfile.TemporaryDirectory(prefix="non-lesions-") as folder:
        for source in DEBIAN:
            _save(source, _unpacked(source.name, Path(folder, source.name)), out_dir)
        for source in PYTHON:
            _save(source, _installed(source.name, Path(folder, source.name)), out_dir)
        _shoot_pages(Path(folder), out_dir)
    for role in ("fit", "report"):
        print(f"{role}: {len(list((out_dir / role).rglob('*.png'))):,} pictures")


def _unpacked(package: str, directory: Path) -> Path:
    """Download a Debian package and unpack it, archives of a game's pictures too."""
    directory.mkdir()
    subprocess.run(["apt-get", "download", package], cwd=directory, check=True, capture_output=True)
    (archive,) = directory.glob("*.deb")
    subprocess.run(["dpkg", "-x", archive.name, "."], cwd=directory, check=True)
    archive.unlink()
    for packed in directory.rglob("*.pk3"):
        with zipfile.ZipFile(packed) as pictures:
            pictures.extractall(packed.parent)
    return directory


def _installed(package: str, directory: Path) -> Path:
    """Install a Python package, without what it needs, into a folder of its own."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
    subprocess.run([*command, str(directory), package], check=True)
    return directory


def _save(source: Source, directory: Path, out_dir: Path) -> None:
    for kind, pattern in source.kinds.items():
        paths = sorted(path for path in directory.glob(pattern) if path.is_file())
        step = max(1, -(-len(paths) // source.per_kind))
        pictures = list(_pictures(paths[::step], directory))
        for name, picture in pictures:
            _write(picture, out_dir / source.role / source.name / kind / f"{name}.png")
        print(f"{source.name}, {kind}: {len(pictures)} of {len(paths)} files", flush=True)


def _write(picture: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(reading.png(picture))


def _pictures(paths: Sequence[Path], directory: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Those files that the app would read, each once; others are no pictures."""
    seen = set()
    for path in paths:
        try:
            picture = reading.reduce(_read(path, directory), LONGEST_PX)
        except (MelanomaError, OSError, ValueError, AttributeError, RuntimeError):
            continue
        if min(picture.shape[:2]) >= 64 and picture.tobytes() not in seen:
            seen.add(picture.tobytes())
            yield "-".join(path.relative_to(directory).with_suffix("").parts[-4:]), picture


def _read(path: Path, directory: Path) -> np.ndarray:
    if path.suffix == ".pat":
        return _read_pattern(path.read_bytes())
    if path.suffix == ".dcm":
        return _read_scan(path, directory)
    if path.suffix == ".webp" or path.suffix == ".gif":
        file = io.BytesIO()
        picture = Image.open(path).convert("RGB")
        picture.thumbnail((LONGEST_PX, LONGEST_PX), reducing_gap=2)
        picture.save(file, "PNG")
        return reading.read(file.getvalue())
    return reading.read_file(path)


def _read_pattern(data: bytes) -> np.ndarray:
    """A pattern of GIMP, repeated to at least 256 px as a fill would be."""
    header, _, width, height, depth, magic = struct.unpack(">5I4s", data[:24])
    if magic != b"GPAT" or depth not in (1, 3, 4):
        raise ValueError("this is no pattern of GIMP")
    pixels = np.frombuffer(data[header : header + width * height * depth], np.uint8)
    tile = np.broadcast_to(pixels.reshape(height, width, depth)[..., :3], (height, width, 3))
    return np.tile(tile, (-(-256 // height), -(-256 // width), 1))


def _read_scan(path: Path, directory: Path) -> np.ndarray:
    """The first frame of a DICOM file, from its darkest to its brightest value."""
    if str(directory) not in sys.path:
        sys.path.append(str(directory))
    import pydicom

    frame = np.asarray(pydicom.dcmread(path, force=True).pixel_array, np.float32)
    while frame.ndim > 2 + (frame.shape[-1] == 3):
        frame = frame[len(frame) // 2]
    low, high = np.percentile(frame, (0.5, 99.5))
    if low == high:
        raise ValueError("this frame is empty")
    levels = np.clip((frame - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    return levels if levels.ndim == 3 else np.repeat(levels[..., np.newaxis], 3, axis=2)


def _shoot_pages(folder: Path, out_dir: Path) -> None:
    """Pictures of the app's pages, and of a handbook's, in windows of two sizes."""
    handbook = sorted(_unpacked("hugin-data", folder / "hugin-data").rglob("*.html"))[::3]
    names = ("", "explore", "doctor", "train", "models", "lessons", "about")
    with web_servers.start() as server, sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=web_visitors.chromium_or_skip(), args=["--no-sandbox"]
        )
        for width, height, scheme in ((1280, 900, "light"), (390, 844, "dark")):
            page = browser.new_page(
                viewport={"width": width, "height": height}, color_scheme=scheme
            )
            for name in names:
                page.goto(f"{server.address}/{name}")
                page.get_by_test_id("stHeading").first.wait_for()
                page.wait_for_timeout(2500)
                _shoot(
                    page,
                    out_dir / "report" / "app" / "screenshots" / f"{name or 'assess'}-{width}.png",
                )
            for path in handbook[:: 1 if width > 1000 else 3]:
                page.goto(path.as_uri())
                name = f"{path.stem}-{width}.png"
                _shoot(page, out_dir / "report" / "hugin-data" / "documents" / name)
        browser.close()


def _shoot(page: Page, path: Path) -> None:
    _write(reading.reduce(reading.read(page.screenshot()), LONGEST_PX), path)


if __name__ == "__main__":
    main()
