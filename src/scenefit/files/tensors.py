"""Tensors in a file that says what it holds and whether it is whole: safetensors with a hash. Never pickle."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from scenefit.files.atomic import content_hash, write_bytes

KEY = "scenefit"  # the only metadata key: several would be written in a random order


class CorruptFile(ValueError):
    """A file that is not what was written."""


def write_tensors(path: str | Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write tensors with some facts (plain JSON values), whole or not at all; the same values give the same bytes."""
    plain = {name: tensors[name].detach().cpu().contiguous() for name in sorted(tensors)}
    about = json.dumps({**facts, "check": _check(plain)}, sort_keys=True)
    write_bytes(path, safetensors.torch.save(plain, {KEY: about}))


def read_tensors(path: str | Path, fix: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and facts from `write_tensors`. DamagedFile, ending in fix, where the file is not whole."""
    path = Path(path)
    try:
        with safetensors.safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {})[KEY])
            tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
        check = about.pop("check")
    except OSError as error:
        raise CorruptFile(f"{path} cannot be read ({error.strerror or error}); {fix}") from error
    except (safetensors.SafetensorError, KeyError, ValueError, AttributeError, TypeError) as error:
        raise CorruptFile(f"{path} is damaged: it is cut short, or no file of scenefit ({error}); {fix}") from error
    if check != _check(tensors):
        raise CorruptFile(f"{path} is damaged: its numbers are not those that were written; {fix}")
    return tensors, about


def _check(tensors: Mapping[str, Tensor]) -> str:
    """A hash of names, types, shapes and numbers."""
    parts = [f"{name} {content_hash(value.numpy())}" for name, value in tensors.items()]
    return content_hash("\n".join(parts).encode())
