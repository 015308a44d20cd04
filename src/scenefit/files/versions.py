"""Versions of the packages that results depend on."""

import platform
from collections.abc import Mapping
from importlib.metadata import version

import numpy as np
import torch


def versions() -> dict[str, str]:
    """Versions and thread count: results may differ between them in their last bits."""
    return {"scenefit": version("scenefit"), "torch": torch.__version__, "numpy": np.__version__,
            "python": platform.python_version(), "threads": str(torch.get_num_threads())}


def other_python(before: Mapping[str, str]) -> str:
    """Why a grammar may seem changed, a line for an error; "" with the Python of before, the `versions` then."""
    old, now = str(before.get("python", "")), platform.python_version()
    if old.split(".")[:2] == now.split(".")[:2]:
        return ""
    return (f"the fit was made with Python {old} and this is {now}: functions in a grammar are compared by their "
            "compiled code, so the Python version may be the only difference;\n")
