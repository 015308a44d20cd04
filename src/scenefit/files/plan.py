"""What a folder of results holds. Its inputs are kept in a JSON file beside them: the same command resumes, another is
refused."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scenefit.files.atomic import LEFTOVER
from scenefit.files.json_files import read_json
from scenefit.files.lock import NAME as LOCK
from scenefit.files.lock import check_folder


def content(folder: Path) -> list[str]:
    """Sorted names of what a folder holds, apart from the lock and what killed writers left; [] for no folder.

    Errors as of `check_folder`.
    """
    check_folder(folder)
    held = [path.name for path in folder.iterdir()] if folder.exists() else []
    return sorted(name for name in held if name != LOCK and not LEFTOVER.fullmatch(name))


def holds_plan(path: Path, plan: Mapping[str, Any], out: Path, content: str) -> bool:
    """Whether the file at path holds this plan, plain JSON values by name; other names in the file do not matter.

    False where there is no file. ValueError, naming out and its content, where it is damaged or holds another plan.
    """
    if not path.exists():
        return False
    kept = read_json(path, f"give another folder, or remove {out} if scenefit made it", dict)
    differing = [name for name, value in plan.items() if kept.get(name) != json.loads(json.dumps(value))]
    if differing:
        raise ValueError(f"{out} holds {content} (it differs in: {', '.join(differing)}); give another folder, or "
                         "remove this one")
    return True
