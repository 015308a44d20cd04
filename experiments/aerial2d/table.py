"""The distributions of all attributes as a table in Markdown: python -m experiments.aerial2d.table"""

from experiments.aerial2d.settings import CARS, COUNTS, ROWS, SETTINGS
from experiments.priors_in_words import in_words


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


def main() -> None:
    print(table())


if __name__ == "__main__":
    main()
