"""The command that writes frames of videos."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from scenefit.cli import app
from scenefit.cli.frames import seconds

cv2 = pytest.importorskip("cv2")


@pytest.mark.parametrize(("text", "value"), [("2", 2), ("0.5s", 0.5), ("250ms", 0.25), ("2 min", 120), ("1.S", 1)])
def test_times(text: str, value: float) -> None:
    assert seconds(text) == value


def test_frames_are_written_once(tmp_path: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for image in np.random.default_rng(0).integers(0, 256, (20, 48, 64, 3), np.uint8):
        writer.write(image)
    writer.release()
    command = ["frames", str(tmp_path / "a.avi"), "--every", "500ms", "--min-change", "0",
               "--out", str(tmp_path / "out")]
    first, again = (CliRunner().invoke(app, command) for _ in range(2))
    assert first.exit_code == again.exit_code == 0, first.output
    assert "4 frames of 1 video" in first.output and "holds these frames already" in again.output
    assert len(list((tmp_path / "out").glob("*.jpg"))) == 4
    wrong = CliRunner().invoke(app, [*command, "--every", "1 hour"])
    assert wrong.exit_code == 2 and "is no time" in wrong.output
