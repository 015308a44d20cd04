"""python -m scenefit"""

from scenefit.cli import app

app(prog_name="scenefit")
