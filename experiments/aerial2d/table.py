"""The distributions of all attributes as a table in Markdown: python -m experiments.aerial2d.table"""

import scenefit as sf
from experiments.aerial2d.settings import CARS, COUNTS, ROWS, SETTINGS


def table() -> str:
    lines = ["| attribute | group | hand-made | wide | target |", "|---|---|---|---|---|"]
    for kind, rows in ROWS.items():
        for name, row in rows.items():
            priors = [in_words(getattr(row, setting)) for setting in SETTINGS]
            lines.append(f"| {kind}.{name} | {row.group} | {' | '.join(priors)} |")
    for kind, row in COUNTS.items():
        priors = [in_words(getattr(row, setting)) for setting in SETTINGS]
        if kind == "car":
            priors[-1] = ", ".join(f"{low} to {high} with {lanes} lanes" for lanes, (low, high) in CARS.items())
        lines.append(f"| road.n_{kind} | {row.group} | {' | '.join(priors)} |")
    return "\n".join(lines)


def in_words(prior: sf.Prior) -> str:
    if isinstance(prior, sf.Uniform | sf.Integer):
        return f"{prior.low:g} to {prior.high:g}"
    if isinstance(prior, sf.Choice):
        shares = dict(zip(prior.options, 100 * prior.probabilities, strict=True))
        if len(set(shares.values())) == 1:
            return f"any of {', '.join(map(str, shares))}"
        return ", ".join(f"{option} {share:.0f} %" for option, share in shares.items())
    if isinstance(prior, sf.Angle) and prior.sd is None:
        return "any" if prior.width == 360 else f"{prior.mean - prior.width / 2:g} to {prior.mean + prior.width / 2:g}"
    if isinstance(prior, sf.Normal | sf.Angle):
        return f"{prior.mean:g} ± {prior.sd:g}"
    raise TypeError(f"no words for {prior}")


def main() -> None:
    print(table())


if __name__ == "__main__":
    main()
