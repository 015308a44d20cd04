"""Tensor files with metadata and a checksum: safetensors, never pickle."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from scenefit.files.atomic import content_hash, write_bytes
from scenefit.files.json_files import CorruptFile, parse_json, read_bytes

KEY = "scenefit"  # the only key in the file's own metadata: safetensors writes several in a random order


def write_tensors(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write tensors and metadata (plain JSON values) atomically; the same values give the same bytes."""
    plain = {name: tensors[name].detach().cpu().contiguous() for name in sorted(tensors)}
    text = json.dumps({**metadata, "check": _check(plain)}, sort_keys=True)
    write_bytes(path, safetensors.torch.save(plain, {KEY: text}))


def read_tensors(path: str | Path, fix: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and metadata from `write_tensors`. CorruptFile, ending in fix, where the checksum or format is wrong."""
    path = Path(path)
    if path.is_dir():
        raise CorruptFile(f"{path} is a folder, and a file is needed; {fix}")
    try:
        data = read_bytes(path, fix)  # not safetensors.safe_open, which takes no path that is not UTF-8
        metadata = _metadata(data, path, fix)
        tensors = dict(sorted(safetensors.torch.load(data).items()))
        check = metadata.pop("check")
    except CorruptFile:
        raise
    except OSError as error:
        raise CorruptFile(f"{path} cannot be read ({error.strerror or error}); {fix}") from error
    except (safetensors.SafetensorError, KeyError, ValueError, AttributeError, TypeError, RecursionError) as error:
        raise CorruptFile(f"{path} is damaged: it is truncated, or no file of scenefit ({error}); {fix}") from error
    if check != _check(tensors):
        raise CorruptFile(f"{path} is damaged: its checksum does not match; {fix}")
    return tensors, metadata


def _metadata(data: bytes, path: Path, fix: str) -> dict[str, Any]:
    """From the header of a safetensors file: its length in 8 bytes, then JSON. Errors are those of `read_tensors`."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    found: dict[str, Any] = parse_json(header["__metadata__"][KEY], f"{path}, its metadata,", fix, dict)
    return found


def _check(tensors: Mapping[str, Tensor]) -> str:
    """A hash of names, types, shapes and numbers."""
    parts = [f"{name} {content_hash(value.numpy())}" for name, value in tensors.items()]
    return content_hash("\n".join(parts).encode())
