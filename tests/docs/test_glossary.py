"""docs/glossary.md holds every module and public class of scenefit with its term, and where the term comes from.

A row is `name` | term | source. A module is named by its path below scenefit, a class by its own name; classes of one
name may share a row. Each part of a source, between semicolons, is one of

* a paper with author and year: "Gretton et al. 2012";
* a named API, in backticks: "`torch.nn`";
* "plain English";
* "own term", when the row's term is in the table "Our own terms" (term | meaning | reason) of at most five rows.
"""

import ast
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pytest

import scenefit

SOURCE, PAGE = Path(scenefit.__file__).parent, Path(__file__).parents[2] / "docs" / "glossary.md"
MAX_OWN_TERMS = 5
PAPER = re.compile(r"[A-Z][\w-]+( et al\.| and [A-Z][\w-]+)? \(?(19|20)\d\d\b")
API = re.compile(r"`[A-Za-z]\w*(\.\w+)*`")


def tables(text: str) -> dict[tuple[str, ...], list[list[str]]]:
    """Heads of the page's tables -> cells of their rows, tables with the same head together."""
    found: dict[tuple[str, ...], list[list[str]]] = {}
    head: tuple[str, ...] | None = None
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            head = None
        elif head is None:
            head = tuple(cells)
        elif not all(re.fullmatch(":?-+:?", cell) for cell in cells):
            found.setdefault(head, []).append(cells)
    return found


def needed() -> Counter[str]:
    """Names that the page has to hold, and how many modules or classes have each."""
    names: Counter[str] = Counter()
    for path in SOURCE.rglob("*.py"):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        names.update(node.name for node in ast.parse(path.read_text()).body
                     if isinstance(node, ast.ClassDef) and not node.name.startswith("_"))
        names.update({module} - {"", "__main__"})
    return names


def is_source(part: str, term: str, own_terms: Collection[str]) -> bool:
    if part.startswith("own term"):
        return any(own in term.lower() for own in own_terms)
    return part == "plain English" or bool(PAPER.search(part) or API.fullmatch(part))


def complaints(text: str, names: Mapping[str, int]) -> Iterator[str]:
    """What is wrong with a page that has to hold these names, and no others."""
    found = tables(text)
    own = found.get(("term", "meaning", "reason"), [])
    own_terms = [row[0].lower() for row in own]
    if len(own) > MAX_OWN_TERMS:
        yield f"{len(own)} terms of our own, at most {MAX_OWN_TERMS}"
    yield from (f"own term {row[0]} has no reason" for row in own if len(row) < 3 or not row[2])
    rows = found.get(("name", "term", "source"), [])
    have = [row[0].strip("`") for row in rows]
    yield from (f"no row for {name}" for name in sorted(set(names) - set(have)))
    yield from (f"a row for {name}, which does not exist" for name in have if name not in names)
    yield from (f"{n} rows for {name}" for name, n in sorted(Counter(have).items()) if n > names.get(name, 1))
    for row in rows:
        term, source = ([*row, "", ""])[1:3]
        if not term:
            yield f"{row[0]} has no term"
        if not all(is_source(part.strip(), term, own_terms) for part in source.split(";")):
            yield f"{row[0]} has the source {source!r}: write a paper with its year, a `named.api` or plain English"


def test_every_module_and_public_class_is_in_the_glossary() -> None:
    assert {"scenes.priors", "Grammar", "inference.fit", "Boxes"} <= set(needed())
    assert list(complaints(PAGE.read_text(), needed())) == []


GOOD = """# Glossary
| term | meaning | reason |
|---|---|---|
| edit | what was chosen | a sample alone has no log-probability |

## metrics
| name | term | source |
|:---|---|---|
| `metrics.mmd` | maximum mean discrepancy | Gretton et al. 2012 |
| `Kernel` | kernel | Gretton et al. 2012; `sklearn.gaussian_process.kernels` |
| `Edit` | edit | own term, see above |

| name | term | source |
|---|---|---|
| `run` | run of a program | plain English |
"""
NAMES = {"metrics.mmd": 1, "Kernel": 2, "Edit": 1, "run": 1}
OWN = "| edit | what was chosen | a sample alone has no log-probability |"
BROKEN = {  # what is wrong -> what the good page has instead of what
    "no row for metrics.mmd": ("| `metrics.mmd` | maximum mean discrepancy | Gretton et al. 2012 |\n", ""),
    "a row for Gone, which does not exist": ("| `Kernel` |", "| `Gone` | gone | plain English |\n| `Kernel` |"),
    "2 rows for run": ("| `run` |", "| `run` | run | plain English |\n| `run` |"),
    "`run` has the source '': write a paper with its year, a `named.api` or plain English": ("plain English", ""),
    "`run` has the source 'computer graphics': write a paper with its year, a `named.api` or plain English":
        ("plain English", "computer graphics"),
    "`run` has the source 'own term': write a paper with its year, a `named.api` or plain English":
        ("plain English", "own term"),
    "`run` has no term": ("run of a program", ""),
    "own term edit has no reason": ("a sample alone has no log-probability", ""),
    "6 terms of our own, at most 5": (OWN, "\n".join([OWN] * 6)),
}


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_glossary_is_refused(text: str) -> None:
    old, new = BROKEN[text]
    assert old in GOOD
    assert list(complaints(GOOD.replace(old, new), NAMES)) == [text]


def test_a_sound_glossary_is_accepted() -> None:
    assert list(complaints(GOOD, NAMES)) == []
    kernel = "| `Kernel` | kernel of a convolution | plain English |\n"
    assert list(complaints(f"{GOOD}{kernel}", NAMES)) == []
    assert list(complaints(f"{GOOD}{kernel}{kernel}", NAMES)) == ["3 rows for Kernel"]
