"""Warnings that point at the line of the program that called scenefit."""

import sys
import warnings

PASSED_OVER = {"scenefit", "contextlib", "functools", "torch"}  # top packages whose frames are not the user's line


def warn(text: str) -> None:
    """A UserWarning with the file and line of the innermost frame outside of scenefit.

    `warnings.warn(skip_file_prefixes=)` would do the same from Python 3.12 on.
    """
    frame = sys._getframe(1)
    while frame.f_back and str(frame.f_globals.get("__name__")).partition(".")[0] in PASSED_OVER:
        frame = frame.f_back
    names = frame.f_globals
    warnings.warn_explicit(text, UserWarning, frame.f_code.co_filename, frame.f_lineno,
                           str(names.get("__name__", "<unknown>")), names.setdefault("__warningregistry__", {}))
