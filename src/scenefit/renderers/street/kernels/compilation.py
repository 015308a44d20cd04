"""Warp, imported when first needed, and its kernels, compiled once and then kept in Warp's cache."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Timer
from types import ModuleType
from typing import Any

from scenefit.files.lock import open_alone

PATIENCE = 1.0  # seconds after which the user is told why it takes so long
NOTE = "Compiling the kernels of Street for {device}, once; this takes up to half a minute."


@cache
def warp() -> Any:
    """The package, with its own messages off. ImportError, with the fix, without it."""
    try:
        import warp as package
    except ImportError as error:
        raise ImportError('Street needs Warp: pip install "scenefit[street]"') from error
    package.config.quiet = True
    package.config.log_level = getattr(package, "LOG_ERROR", 0)  # Warp 1.12 and later
    with _without_complaints():
        package.init()
    return package


@contextmanager
def _without_complaints() -> Iterator[None]:
    """Standard error goes nowhere: without a GPU's driver, Warp's library warns there, whatever its settings."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@cache
def kernels(device: str) -> ModuleType:
    """The module `kernels.passes`, compiled for a device. ValueError for a device that Warp does not have.

    One process compiles at a time; the others wait, and find what it left in the cache.
    """
    package = warp()
    try:
        with _without_complaints():
            package.get_device(device)
    except (ValueError, RuntimeError) as error:
        there = ", ".join(str(one) for one in package.get_devices())
        raise ValueError(f"Street cannot render on {device!r}; Warp has {there}") from error
    from scenefit.renderers.street.kernels import passes

    with _alone(Path(package.config.kernel_cache_dir)), _told(device):
        package.load_module(passes.__name__, device=device)
    return passes


@contextmanager
def _told(device: str) -> Iterator[None]:
    """A line on standard error where what follows takes long."""
    timer = Timer(PATIENCE, lambda: print(NOTE.format(device=device), file=sys.stderr, flush=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a lock in a folder, after any other process."""
    folder.mkdir(parents=True, exist_ok=True)
    while (number := open_alone(folder / "scenefit.lock")) is None:
        time.sleep(0.1)
    try:
        yield
    finally:
        os.close(number)
