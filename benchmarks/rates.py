"""Rates of sampling, encoding and rendering: `python -m benchmarks.rates`.

One thread, CPU seconds, the best of several runs. Absolute times are unreliable on shared machines: compare rows.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import scenefit as sf
from scenefit.nets.graph_encoding import columns, encode
from scenefit.nets.scene_distribution import SceneDistribution
from scenes import digits

N_RUNS = 7


def street() -> sf.Grammar:
    """A grammar with about 60 nodes per scene and conditional priors."""
    return sf.Grammar("street", {
        "street": {"width": sf.Uniform(6, 12)},
        "car": {"x": sf.learned(sf.Uniform(0, 100)), "y": lambda node: sf.Uniform(0, node.parent["width"]),
                "yaw": sf.learned(sf.Angle(0, 5)), "colour": sf.Choice(["red", "blue", "grey"])},
        "house": {"x": sf.learned(sf.Uniform(0, 100)), "height": sf.learned(sf.Normal(8, 2, 3, 20))},
        "window": {"z": lambda node: sf.Uniform(0, node.parent["height"])}},
        [sf.Rule("street", [sf.repeat("car", sf.Integer(8, 16)), sf.repeat("house", sf.Integer(8, 12))]),
         sf.Rule("house", [sf.repeat("window", sf.Integer(3, 5))])])


def best(work: Callable[[], Any]) -> float:
    """Lowest CPU seconds of several calls."""
    times = []
    for _ in range(N_RUNS):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


def main() -> None:
    torch.set_num_threads(1)
    grammar = street()
    scenes = grammar.sample(0, 1000)
    graph_columns, distribution = columns(grammar), SceneDistribution(grammar)
    digit_scenes = digits.grammar.sample(0, 1024)
    offsets = {key: np.zeros(len(scenes.tables[key[0]])) for key in (("car", "x"), ("car", "yaw"))}
    rows = [("sample 1,000 scenes", 1000, lambda: grammar.sample(0, 1000)),
            ("decode them with offsets", 1000, lambda: grammar.decode(scenes, offsets)),
            ("encode them as graph tensors", 1000, lambda: encode(scenes, graph_columns)),
            ("edit them by the scene distribution", 1000, lambda: distribution.sample(0, 1000)),
            ("draw 1,024 digits, images only", 1024, lambda: digits.renderer.draw(digit_scenes)),
            ("draw 1,024 digits with labels", 1024, lambda: sf.render(digits.renderer, digit_scenes).objects)]
    table = Table(title=f"One thread; street scenes of {scenes.node_count / 1000:.0f} nodes, digits on 40x40 pixels")
    for name in ("operation", "CPU seconds", "scenes per second"):
        table.add_column(name, justify="left" if name == "operation" else "right")
    for operation, count, work in rows:
        seconds = best(work)
        table.add_row(operation, f"{seconds:.3f}", f"{count / seconds:,.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
