"""Message passing between parents and children of scene graphs.

Legend: n nodes of a kind; N nodes of all kinds, kind after kind; d input columns of a kind.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

HIDDEN = 32
ROUNDS = 2


class GraphNetwork(nn.Module):
    """Messages between parents and children, a few rounds; kinds have their own input and output layers."""

    def __init__(self, inputs: Mapping[str, int], outputs: Mapping[str, int]):
        super().__init__()
        self.enter = nn.ModuleDict({parameter_name(kind): nn.Linear(width, HIDDEN) for kind, width in inputs.items()})
        self.rounds = nn.ModuleList(nn.Sequential(nn.Linear(3 * HIDDEN, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, HIDDEN))
                                    for _ in range(ROUNDS))
        self.leave = nn.ModuleDict({parameter_name(kind): nn.Linear(HIDDEN, width)
                                    for kind, width in outputs.items() if width})
        for parameter in self.leave.parameters():  # the edit starts as the identity
            nn.init.zeros_(parameter)

    def forward(self, inputs: Mapping[str, Tensor], parent: Tensor) -> dict[str, Tensor]:
        """kind -> [n, d] and each node's parent [N], the node itself at roots; returns kind -> [n, outputs], on the CPU
        wherever the network is."""
        device = next(self.parameters()).device
        inputs, parent = {kind: x.to(device) for kind, x in inputs.items()}, parent.to(device)
        h = torch.cat([torch.tanh(self.enter[parameter_name(kind)](x)) for kind, x in inputs.items()])
        child = parent != torch.arange(len(h), device=device)
        count = h.new_zeros(len(h)).index_add(0, parent[child], h.new_ones(int(child.sum())))
        for layer in self.rounds:
            below = torch.zeros_like(h).index_add(0, parent[child], h[child]) / count.clamp(min=1)[:, None]
            h = h + layer(torch.cat([h, h[parent], below], dim=1))
        parts = dict(zip(inputs, h.split([len(x) for x in inputs.values()]), strict=True))
        out = {kind: self.leave[parameter_name(kind)](part) if parameter_name(kind) in self.leave else part[:, :0]
               for kind, part in parts.items()}
        return {kind: part.cpu() for kind, part in out.items()}


def parameter_name(kind: str, name: str = "") -> str:
    """A name that torch takes for a parameter or module: without dots, and none of its own, such as "train"."""
    return f"{kind}/{name}".replace("%", "%25").replace(".", "%2E")
