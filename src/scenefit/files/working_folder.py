"""The working folder of code of the user's: a scene file may change it without moving scenefit's own relative paths."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_inside: dict[str, str] = {}  # working folder outside -> the one that the user's code changed to there


@contextmanager
def users_working_folder() -> Iterator[None]:
    """What runs inside may change the working folder: it finds that folder again the next time, and after the block the
    working folder is the one from before, in which relative paths mean what the user typed."""
    try:
        outside = os.getcwd()
    except FileNotFoundError:  # it was deleted; there is nothing to come back to
        yield
        return
    if outside in _inside:
        with suppress(OSError):
            os.chdir(_inside[outside])
    try:
        yield
    finally:
        with suppress(OSError):
            inside = os.getcwd()
            if inside != outside:
                _inside[outside] = inside
                os.chdir(outside)
            else:
                _inside.pop(outside, None)
