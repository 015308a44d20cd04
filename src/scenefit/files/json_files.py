"""Reading JSON files: whatever is wrong with one is an error that names the file and what to do."""

import json
from pathlib import Path
from typing import Any

FORMS: dict[type, str] = {dict: "an object in braces", list: "a list"}


class CorruptFile(ValueError):
    """A file that is truncated, changed, or not of the kind that is expected."""


def read_json(path: str | Path, fix: str, form: type | None = None) -> Any:
    """The value of a JSON file. form: dict or list, where only that will do.

    CorruptFile, naming the file and ending in fix, where it cannot be read, is no JSON or has another form.
    """
    return parse_json(read_bytes(path, fix), path, fix, form)


def read_bytes(path: str | Path, fix: str) -> bytes:
    """The content of a file. CorruptFile as of `read_json`, also for a pipe or a device, on which reading would wait
    forever."""
    path = Path(path)
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise CorruptFile(f"{path} is a pipe or a device, and a file is needed; {fix}")
        return path.read_bytes()
    except OSError as error:
        raise CorruptFile(f"{path} cannot be read ({error.strerror or error}); {fix}") from error


def parse_json(data: str | bytes, where: str | Path, fix: str, form: type | None = None) -> Any:
    """The value of a JSON text.  where: its place, for errors. Otherwise as `read_json`."""
    try:
        value = json.loads(data)
    except UnicodeDecodeError as error:
        raise CorruptFile(f"{where} is damaged: it is no text in UTF-8 ({error}); {fix}") from error
    except RecursionError as error:
        raise CorruptFile(f"{where} is damaged: its lists or objects are nested too deeply; {fix}") from error
    except ValueError as error:
        raise CorruptFile(f"{where} is damaged: it is no JSON ({error}); {fix}") from error
    if form is not None and not isinstance(value, form):
        raise CorruptFile(f"{where} is damaged: it holds {_form(value)}, and needs {FORMS[form]}; {fix}")
    return value


def _form(value: Any) -> str:
    return FORMS.get(type(value), "null" if value is None else "a text" if isinstance(value, str) else "a number"
                     if isinstance(value, int | float) and not isinstance(value, bool) else "true or false")
