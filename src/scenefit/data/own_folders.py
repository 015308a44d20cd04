"""Folders that scenefit wrote, recognised by their files: the images in them are not photos."""

from pathlib import Path

PIECE = 1 << 20  # bytes of a file that are searched
DRAWN = "the pictures that scenefit detect drew"
MARKS = (  # (what such a folder holds, its files: name -> bytes in each)
    (DRAWN, {".found/plan.json": b"{"}), (DRAWN, {"found.json": b"["}),
    ("images that scenefit generate drew", {"provenance.json": b'"drawn_by"'}),
    ("images that scenefit generate drew", {".scenefit-rows/plan.json": b"{"}),
    ("depth of renders", {"encoding.json": b'"scenefit": "depth"'}),
    ("normals of renders", {"encoding.json": b'"scenefit": "normals"'}),
    ("the results of a scenefit fit", {"settings.json": b"{", "steps.jsonl": b""}))


def what_scenefit_wrote(folder: Path) -> str | None:
    """What a folder holds that scenefit wrote into it, finished or not; None for any other folder."""
    for what, files in MARKS:
        if all(_holds(folder / name, mark) for name, mark in files.items()):
            return what
    return None


def _holds(path: Path, mark: bytes) -> bool:
    try:
        if not path.is_file():  # a pipe would be waited for
            return False
        with open(path, "rb") as file:
            return mark in file.read(PIECE)
    except OSError:
        return False
