"""Where networks run: whether PyTorch has a device, and the state in which results on it can be reproduced.

Legend: a device is "cpu", "cuda" or a certain GPU such as "cuda:1".
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"  # without it, cuBLAS may sum in another order from run to run


def check_device(name: str, device: str) -> None:
    """ValueError, with the fix, for a device that this PyTorch lacks. name: of the argument or setting."""
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise ValueError(f"{name} must be cpu, cuda or a certain GPU such as cuda:1, got {device!r}")
    if device == "cpu":
        return
    if not torch.cuda.is_available():
        reason = "this PyTorch is a CPU build" if torch.version.cuda is None else "PyTorch finds no GPU"
        raise ValueError(f'{name} is "{device}", but {reason} (version {torch.__version__}); use "cpu", or install '
                         "PyTorch's CUDA build on a machine with an NVIDIA GPU")
    _, _, number = device.partition(":")
    if number and int(number) >= torch.cuda.device_count():
        last = torch.cuda.device_count() - 1
        raise ValueError(f'{name} is "{device}", but the last GPU of this machine is cuda:{last}; use one from cuda:0 '
                         f'to cuda:{last}, or "cpu"')


@contextmanager
def reproducible(device: str | torch.device) -> Iterator[None]:
    """While in it, the same computation on a GPU has the same result to the last bit, in float32 throughout.

    PyTorch's own choice is faster algorithms that sum in any order, and convolutions with 10 bits of mantissa (TF32).
    Nothing changes for "cpu".
    """
    if torch.device(device).type == "cpu":
        yield
        return
    os.environ.setdefault(WORKSPACE, ":4096:8")
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
