"""A GPU that is only pretended, for tests on machines without one.

Within `pretended_gpu()`, tensors that are moved to "cuda" are marked; all arithmetic still happens on the CPU. What
PyTorch refuses for a tensor on a GPU is refused for a marked one: an operation on tensors of two devices (but for
single numbers and indices of the CPU, and copies into), and its conversion to numpy. So code that forgets to move a
tensor fails as it would with a GPU. Marks belong to storages, since views and parameters share those.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode, resolve_name

ACROSS = {"copy_", "__set__", "_has_compatible_shallow_copy_type", "set_", "__deepcopy__"}  # devices may differ
JOINED = {"cat", "stack", "index_add", "index_add_"}  # which take not even single numbers of the CPU
INDEXED = {"__getitem__", "__setitem__", "index_put", "index_put_"}  # indices may lie on the CPU


class PretendedGpu(TorchFunctionMode):
    """marked: storages on the pretended GPU.  moves: bytes of each tensor that came to it.  operations: on it."""

    def __init__(self) -> None:
        super().__init__()
        self.marked: dict[int, StorageWeakRef] = {}  # which keeps an address from being used again
        self.moves: list[int] = []
        self.operations = 0

    def on_gpu(self, tensor: Tensor) -> bool:
        return storage(tensor) in self.marked

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name, given = name_of(func), list(tensors((args, kwargs)))
        if name == "device.__get__":
            return torch.device("cuda", 0) if self.on_gpu(args[0]) else args[0].untyped_storage().device
        if name in ("is_cuda.__get__", "is_cpu.__get__"):
            return self.on_gpu(args[0]) == (name == "is_cuda.__get__")
        if name in ("numpy", "__array__", "numpy.__get__") and self.on_gpu(args[0]):
            raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor to "
                            "host memory first.")
        if name == "to" or name in ("cpu", "cuda"):
            return self._move(func, name, args, kwargs)
        if "device" in kwargs and kwargs["device"] is not None:
            return self._made(func, args, kwargs)
        gpu = self._check(name, func, args, kwargs, given)
        return self._mark(func(*args, **kwargs), gpu)

    def _check(self, name: str, func: Any, args: Any, kwargs: Any, given: list[Tensor]) -> bool:
        """Whether the result is on the GPU. RuntimeError for tensors of two devices."""
        where = [self.on_gpu(one) for one in given]
        self.operations += any(where)
        if name in ACROSS:
            return where[-1] if name == "__set__" else where[0]
        if name in INDEXED:
            own = where[0]
            others = list(tensors((args[2:], kwargs)))
            indices = list(tensors(args[1]))
            if any(self.on_gpu(one) and not own for one in indices):
                raise RuntimeError(f"{name}: indices should be either on cpu or on the same device as the indexed "
                                   "tensor (cpu)")
            given, where = [args[0], *others], [own, *map(self.on_gpu, others)]
        number = [one.ndim == 0 and not on and name not in JOINED for one, on in zip(given, where, strict=True)]
        if len({on for on, alone in zip(where, number, strict=True) if not alone}) > 1:
            raise RuntimeError(f"{resolve_name(func) or name}: Expected all tensors to be on the same device, but "
                               "found at least two devices, cuda:0 and cpu!")
        return any(where)

    def _move(self, func: Any, name: str, args: Any, kwargs: Any) -> Any:
        tensor, gpu, dtype = args[0], self.on_gpu(args[0]), kwargs.get("dtype")
        for one in (*args[1:], kwargs.get("device"), name if name != "to" else None):
            if isinstance(one, str | torch.device):
                gpu = torch.device(one).type == "cuda"
            elif isinstance(one, Tensor):
                gpu, dtype = self.on_gpu(one), one.dtype
            elif isinstance(one, torch.dtype):
                dtype = one
        memory_format = kwargs.get("memory_format", torch.preserve_format)
        found = tensor.to(dtype=dtype or tensor.dtype, memory_format=memory_format)
        if gpu != self.on_gpu(tensor) and storage(found) == storage(tensor):
            found = found.clone()
        if gpu and not self.on_gpu(tensor):
            self.moves.append(found.numel() * found.element_size())
        return self._mark(found, gpu)

    def _made(self, func: Any, args: Any, kwargs: Any) -> Any:
        """What a function with a device makes; what it takes may lie elsewhere."""
        gpu = torch.device(kwargs.pop("device")).type == "cuda"
        found = func(*args, **kwargs)
        for given in tensors(args):
            if storage(given) == storage(found) and self.on_gpu(given) != gpu:
                found = found.clone()
        if gpu and name_of(func) in ("tensor", "as_tensor"):
            self.moves.append(found.numel() * found.element_size())
        return self._mark(found, gpu)

    def _mark(self, result: Any, gpu: bool) -> Any:
        for one in tensors(result):
            if gpu:
                self.marked[storage(one)] = StorageWeakRef(one.untyped_storage())
            else:
                self.marked.pop(storage(one), None)
        return result


def name_of(func: Any) -> str:
    """"add", "grad.__get__"."""
    name, owner = getattr(func, "__name__", ""), getattr(func, "__self__", None)
    return f"{owner.__name__}.{name}" if name == "__get__" and hasattr(owner, "__name__") else name


def storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


def tensors(values: Any) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, list | tuple):
        for one in values:
            yield from tensors(one)
    elif isinstance(values, dict):
        yield from tensors(list(values.values()))


@contextmanager
def pretended_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendedGpu]:
    """PyTorch as if it had one GPU."""
    with monkeypatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: True)
        patch.setattr(torch.cuda, "device_count", lambda: 1)
        with PretendedGpu() as gpu:
            yield gpu
