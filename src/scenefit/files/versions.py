"""Versions of the packages that results depend on."""

import platform
from importlib.metadata import version

import numpy as np
import torch


def versions() -> dict[str, str]:
    """Versions and thread count: results may differ between them in their last bits."""
    return {"scenefit": version("scenefit"), "torch": torch.__version__, "numpy": np.__version__,
            "python": platform.python_version(), "threads": str(torch.get_num_threads())}
