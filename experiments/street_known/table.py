"""The truth of the target, and what scenes of the grammars show, as tables in Markdown:
python -m experiments.street_known.table
"""

import numpy as np

import scenefit as sf
from experiments.cells import markdown
from experiments.priors_in_words import in_words
from experiments.street_known import distances, town, world

SEED = 11


def truth() -> str:
    """The distributions that the target is made of."""
    rows = [[name, in_words(prior)] for name, prior in {**town.ROOT, **town.OTHERS}.items()]
    for name, (_, _, many, begin, gaps) in town.QUEUES.items():
        rows.append([f"queue: {name}", f"{in_words(many)} vehicles, the first from {in_words(begin)} m on, gaps of "
                                       f"{in_words(gaps)} m"])
    paints = sf.Choice(list(town.PAINTS), [share for _, share in town.PAINTS.values()])
    return markdown(["attribute", "target"], [
        *rows, ["vehicles", in_words(sf.Choice(list(town.SPOTS), list(town.SPOTS.values())))],
        ["paint", in_words(paints)]])


def shown() -> str:
    """Medians, and 5 % and 95 % quantiles, of what scenes show."""
    each = {"naive": distances.of_naive(world.SIZE), "wide": distances.visible(
        world.renderer("wide"), (world.wide().sample(SEED, rows) for rows in distances.chunks())),
        "target": distances.truth(world.SIZE)}
    found = {name: distances.ranges(visible) for name, visible in each.items()}
    rows = [[name, group, *(_range(name, one[name]) for one in found.values())]
            for name, group in distances.attributes().items() if name != distances.SHARES]
    return markdown(["attribute", "group", *found], rows)


def _range(name: str, values: tuple[float, ...]) -> str:
    if name == "sun_azimuth":
        mean, length = values
        spread = np.rad2deg(np.sqrt(-2 * np.log(min(length, 1.0))))
        return "any" if length < 0.1 else f"{mean:.0f} ± {abs(spread):.0f}"
    if name in distances.ANGLES:
        return f"{100 * values[0]:.0f} % face away"
    middle, low, high = (_short(value) for value in values)
    return middle if low == high else f"{middle} ({low} to {high})"


def _short(value: float) -> str:
    return f"{value:.4f}" if 0 < abs(value) < 0.05 else f"{value:.2f}" if abs(value) < 10 else f"{value:.0f}"


def main() -> None:
    print(truth(), shown(), sep="\n\n")


if __name__ == "__main__":
    main()
