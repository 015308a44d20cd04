"""Which files are photos by their name: the endings that are read, those of images that are not, and the files and
folders that desktops and network storage (NAS) keep among photos."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePath

ENDINGS = (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".bmp", ".tif", ".tiff", ".webp")
RAW = (".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dng", ".iiq", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2",
       ".srw")  # what cameras write before they make a photo of it
NOT_READ = (".ai", ".apng", ".avif", ".dcm", ".dds", ".dib", ".emf", ".eps", ".exr", ".fits", ".gif", ".hdr", ".heic",
            ".heics", ".heif", ".hif", ".ico", ".j2k", ".jp2", ".jpf", ".jpx", ".jxl", ".jxr", ".pbm", ".pcx", ".pdf",
            ".pgm", ".pnm", ".ppm", ".psb", ".psd", ".svg", ".svgz", ".tga", ".wdp", ".wmf", ".xcf", *RAW)  # images too
ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar")
NO_PHOTOS = ("@eadir", "@recycle", "@recently-snapshot", "#recycle", "#snapshot", "__macosx", "$recycle.bin",
             "system volume information", "lost+found")  # thumbnails, deleted files, backups

LIMIT = "SCENEFIT_MAX_MEGAPIXELS"  # variable of the environment: photos of more megapixels are not read


def is_ignored(name: str) -> bool:
    """Whether a file or folder of this name holds no photo of its own: hidden ones (.thumbnails, ._a.jpg), and the
    thumbnails, deleted files and backups of desktops and network storage (@eaDir, #recycle, __MACOSX)."""
    return name.startswith(".") or name.lower() in NO_PHOTOS


def is_photo(name: str) -> bool:
    """Whether a file of this name is a photo of a kind that is read."""
    return name.lower().endswith(ENDINGS) and not is_ignored(name)


def walk(folder: Path, visited: Iterable[str] = (), onerror: Callable[[OSError], None] | None = None,
         ) -> Iterator[tuple[Path, list[str], list[str]]]:
    """(folder, names of its folders, names of its files) as of `os.walk`, without those of `is_ignored`. Links to
    folders are followed, each folder once, and none whose real path is in visited."""
    seen = set(visited)
    for place, folders, names in os.walk(folder, onerror=onerror, followlinks=True):
        real = os.path.realpath(place)
        folders[:] = [] if real in seen else sorted(name for name in folders if not is_ignored(name))
        if real not in seen:
            seen.add(real)
            yield Path(place), folders, [name for name in names if not is_ignored(name)]


def why_not_read(name: str | PurePath) -> str | None:
    """Why a file of this name is not read though it is an image, or holds some; None for any other file."""
    ending = PurePath(name).suffix
    if ending.lower() in ARCHIVES:
        return f"archives ({ending}) are not read; unpack it here if it holds photos"
    if ending.lower() in RAW:
        return f"raw images of cameras ({ending}) are not read; convert them to PNG, or to JPEG"
    if ending.lower() in NOT_READ:
        return f"images ending in {ending} are not read; convert them to PNG, or to JPEG"
    return None
