"""The command that writes frames of videos."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from scenefit.cli import app
from scenefit.cli.frames import seconds
from scenefit.data.video_frames import Choice

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


def test_all_options_reach_the_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[object] = []
    monkeypatch.setattr("scenefit.data.video_frames.find_videos", lambda places: given.append(places) or [])
    monkeypatch.setattr("scenefit.data.video_frames.is_finished",
                        lambda videos, out, choice: given.extend([out, choice]) or True)
    options = ["--every", "2", "--from", "3", "--to", "4min", "--min-change", "0.5", "--split", "--block", "20s",
               "--gap", "500ms", "--seed", "7", "--out", str(tmp_path / "out")]
    found = CliRunner().invoke(app, ["frames", "a.mp4", "b.mp4", *options])
    assert found.exit_code == 0, found.output
    assert given == [[Path("a.mp4"), Path("b.mp4")], tmp_path / "out", Choice(2, 3, 240, 0.5, True, 20, 0.5, 7)]


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_text("mine")
    (tmp_path / "a.avi").write_text("")
    found = CliRunner().invoke(app, ["frames", str(tmp_path / "a.avi"), "--out", str(tmp_path)])
    assert found.exit_code == 1 and "damaged, empty" in found.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.avi", "photo.jpg"]
