"""The inputs of a folder of results, kept in a JSON file beside them: the same command resumes, another is refused."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scenefit.files.json_files import read_json


def holds_plan(path: Path, plan: Mapping[str, Any], out: Path, content: str) -> bool:
    """Whether the file at path holds this plan, plain JSON values by name; other names in the file do not matter.

    False where there is no file. ValueError, naming out and its content, where it is damaged or holds another plan.
    """
    if not path.exists():
        return False
    kept = read_json(path, f"delete it and give another folder than {out}, or remove {out} and start over", dict)
    differing = [name for name, value in plan.items() if kept.get(name) != json.loads(json.dumps(value))]
    if differing:
        raise ValueError(f"{out} holds {content} (it differs in: {', '.join(differing)}); give another folder, or "
                         "remove this one")
    return True
