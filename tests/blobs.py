"""A tiny scene file, photos of it, and settings with which a fit takes a fraction of a second."""

import io
import os
import re
import signal
import sys
import time

import checks
import numpy as np
from PIL import Image
from typer.testing import CliRunner

import scenefit as sf
from scenefit.cli import app
from scenefit.renderers.scene_file import load_scene

SCENE = '''\
"""A square on a dark ground."""
import os
import time

import numpy as np

import scenefit as sf

grammar = sf.Grammar("image", {"image": {"shade": sf.learned(sf.Uniform(0, 60))},
                               "blob": {"x": sf.learned(sf.Uniform(2, 13)), "half": sf.Integer(2, 3)}},
                     [sf.Rule("image", ["blob"])])


@sf.each
def renderer(scene):
    time.sleep(float(os.environ.get("BLOB_SLEEP", "0")))
    image, masks = np.full((16, 16), scene.root.shade / 255), np.zeros((16, 16), int)
    blob = scene.of("blob")[0]
    half, x = blob.half, int(blob.x)
    place = slice(8 - half, 8 + half), slice(max(x - half, 0), x + half)
    image[place], masks[place] = 0.9, blob.id
    return sf.Frame(image, masks, label="small" if half == 2 else "large")
'''
# The same at twice the size.
LARGE = (SCENE.replace("(16, 16)", "(32, 32)").replace("sf.Uniform(2, 13)", "sf.Uniform(8, 24)")
         .replace("sf.Integer(2, 3)", "sf.Integer(4, 7)").replace("slice(8 - half, 8 + half)",
                                                                  "slice(16 - half, 16 + half)"))
TRUTH = sf.Grammar("image", {"image": {"shade": sf.Uniform(40, 60)},
                             "blob": {"x": sf.Uniform(9, 12), "half": sf.Integer(2, 3)}}, [sf.Rule("image", ["blob"])])
SMALL = {"regressor.epochs": 1, "method.rounds": 1, "method.renders": 64, "method.samples": 2, "validation_renders": 64,
         "descent.batch": 64, "task.steps": 2, "task.renders": 64}
QUICK = [part for name, value in SMALL.items() for part in ("--set", f"{name}={value}")]


def make(folder, photos=40, few=12):
    """scene.py, real/ and few/<class>/ in folder."""
    (folder / "scene.py").write_text(SCENE)
    frames = load_scene(folder / "scene.py").renderer(TRUTH.sample(5, photos + few))
    for number, (image, label) in enumerate(zip(frames.images, frames.label, strict=True)):
        place = folder / "real" if number < photos else folder / "few" / str(label)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{number:03}.png")
    return folder


def fit_command(world, run, *more, steps=2):
    return ["fit", str(world / "scene.py"), "--real", str(world / "real"), "--out", str(run), "--steps", str(steps),
            *QUICK, *more]


def call(*command, code=0):
    """Run the command in this process; its output. Fails unless it ends with this exit code."""
    result = CliRunner().invoke(app, [str(part) for part in command])
    assert result.exit_code == code, result.output + repr(result.exception)
    return result.output


def killed(command, after, sleep=0.0):
    """Run the command in a forked process and end it at once, as kill -9 does; whether it was still at work.

    after: seconds, or a function that says when.  sleep: seconds that each image takes longer to draw. The seconds are
    counted by the operating system, so that they are kept on a busy machine too, where this process may have to wait.
    """
    pid = os.fork()
    if pid == 0:
        if not callable(after):
            signal.signal(signal.SIGALRM, signal.SIG_DFL)  # which ends the process without any handler
            signal.setitimer(signal.ITIMER_REAL, after)
        os.environ["BLOB_SLEEP"] = str(sleep)
        sys.stdout = sys.stderr = io.StringIO()
        try:
            app([str(part) for part in command], standalone_mode=False)
        finally:
            os._exit(0)
    if callable(after):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not after():
            time.sleep(0.001)
        os.kill(pid, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def contents(folder):
    """Path -> bytes of all files below folder but reports (they show the time), without timing fields and the command
    line."""
    return {path: re.sub(rb'"cpu_seconds": [0-9.]+|"command": ".*"', b"", data)
            for path, data in checks.contents(folder).items() if not path.endswith(("report.html", "report.png"))}


def pixels(path):
    return np.asarray(Image.open(path))
