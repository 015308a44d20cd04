"""MkDocs hook: the site also shows the pages beside the code, without copies of them.

Pages of experiments and benchmarks and the changelog get the addresses that they have in the repository; links between
them and docs/ are written for the repository and are changed here. Fences "python no-run" (the tests leave them out)
are shown as Python.
"""

import re
from pathlib import Path

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
OUTSIDE = ("experiments/*/*.md", "experiments/*/*.png", "benchmarks/README.md", "CHANGELOG.md")
UP_TO_ROOT = re.compile(r"(\]\((?:\.\./)*)\.\./(?=(?:experiments|benchmarks|CHANGELOG)\b)")
DOWN_TO_DOCS = re.compile(r"(\]\((?:\.\./)+)docs/")


def on_files(files: Files, config) -> Files:
    for pattern in OUTSIDE:
        for path in sorted(ROOT.glob(pattern)):
            files.append(File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page, config, files) -> str:
    outside = page.file.src_uri.startswith(("experiments/", "benchmarks/", "CHANGELOG"))
    text = DOWN_TO_DOCS.sub(r"\1", markdown) if outside else UP_TO_ROOT.sub(r"\1", markdown)
    return text.replace("```python no-run", "```python")
