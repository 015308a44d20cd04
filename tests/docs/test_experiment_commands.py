"""Commands that pages of experiments name exist, and run something."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMANDS = sorted({name for page in [*ROOT.glob("experiments/*/*.md"), *ROOT.glob("docs/*.md"), ROOT / "README.md"]
                   for name in re.findall(r"python -m (experiments(?:\.\w+)+)", page.read_text())})


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_runs_its_module(name):
    place = ROOT.joinpath(*name.split("."))
    file = place / "__main__.py" if place.is_dir() else place.with_suffix(".py")
    assert re.search(r"^(if __name__ == \"__main__\":\n    )?main\(", file.read_text(), re.MULTILINE), file
