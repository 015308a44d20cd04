"""Frames of videos: their times, what is left out, how blocks are dealt out, and how a stopped command resumes."""

import csv
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenefit.data.video import Video, decode, open_video
from scenefit.data.video_frames import (
    PARTS,
    Choice,
    change,
    find_videos,
    frame_steps,
    is_finished,
    part_of,
    thumbnail,
)

cv2 = pytest.importorskip("cv2")
RATE = 10  # frames a second


def pattern(seed: int) -> np.ndarray:
    """An image [48, 64, 3] whose coarse parts depend on the seed."""
    return np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)


def write_video(path: Path, images: list[np.ndarray]) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), RATE, (64, 48))
    for image in images:
        writer.write(np.ascontiguousarray(image[..., ::-1]))
    writer.release()
    return path


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """100 s, another image each second; in the seconds 20 to 29 the camera stands still."""
    still = [20 if 20 <= second < 30 else second for second in range(100)]
    return write_video(tmp_path_factory.mktemp("video") / "drive.avi",
                       [image for second in still for image in [pattern(second)] * RATE])


def written(videos: list[Path], out: Path, **choice: object) -> list[dict[str, str]]:
    list(frame_steps(find_videos(videos), out, Choice(**choice)))  # type: ignore[arg-type]
    with open(out / "frames.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_frames_are_those_of_their_times(drive: Path) -> None:
    assert open_video(drive) == Video(drive, (48, 64), 100.0)
    frames = list(decode(open_video(drive), 2.5, first=3, end=13))
    assert [round(frame.seconds, 2) for frame in frames] == [3, 5.5, 8, 10.5]
    for frame, second in zip(frames, (3, 5, 8, 10), strict=True):
        assert np.abs(frame.image - pattern(second).astype(int)).mean() < 20  # JPEG; in RGB
    assert np.abs(frames[0].image[..., ::-1] - pattern(3).astype(int)).mean() > 40


def test_a_frame_each_second_without_those_of_a_camera_that_stands(drive: Path, tmp_path: Path) -> None:
    *_, last = frame_steps(find_videos([drive]), tmp_path / "out", Choice())
    assert last.kept == {"": 91} and last.unchanged == 9 and last.done == last.of == 100
    names = sorted(path.name for path in (tmp_path / "out").glob("*.jpg"))
    assert names[:2] == ["drive-00000000ms.jpg", "drive-00001000ms.jpg"] and "drive-00021000ms.jpg" not in names
    assert np.abs(np.asarray(Image.open(tmp_path / "out" / names[1])) - pattern(1).astype(int)).mean() < 20
    assert len(written([drive], tmp_path / "all", min_change=0)) == 100


def test_change_is_relative_to_the_contrast_of_the_video() -> None:
    bright, dark = (thumbnail((pattern(1) * share).astype(np.uint8)) for share in (1, 0.25))
    other_bright, other_dark = (thumbnail((pattern(2) * share).astype(np.uint8)) for share in (1, 0.25))
    assert change(bright, other_bright) == pytest.approx(change(dark, other_dark), rel=0.05) and change(dark, dark) == 0


def test_blocks_are_dealt_out_whole_without_their_last_seconds(drive: Path, tmp_path: Path) -> None:
    rows = written([drive], tmp_path, split=True, block=5, gap=2, min_change=0, seed=3)
    parts = {part: {int(row["block"]) for row in rows if row["file"].startswith(f"{part}/")} for part in PARTS}
    assert [len(parts[part]) for part in PARTS] == [12, 4, 4] and set.union(*parts.values()) == set(range(20))
    assert {float(row["seconds"]) % 5 for row in rows} == {0, 1, 2}
    assert all((tmp_path / row["file"]).exists() and int(row["block"]) == float(row["seconds"]) // 5 for row in rows)
    for group in range(0, 20, 5):  # each part has a block of each five
        assert sorted(part_of(block, 3) for block in range(group, group + 5)) == sorted([*PARTS, *["unlabelled"] * 2])
    assert [part_of(block, 3) for block in range(20)] != [part_of(block, 4) for block in range(20)]


def test_blocks_of_several_videos_are_counted_on(drive: Path, tmp_path: Path) -> None:
    short = write_video(tmp_path / "short.avi", [pattern(n) for n in range(7 * RATE)])
    rows = written([short, drive], tmp_path / "out", split=True, block=5, gap=0, min_change=0)
    assert [{int(row["block"]) for row in rows if row["video"] == name} for name in ("short.avi", "drive.avi")] == [
        {0, 1}, set(range(2, 22))]
    with pytest.raises(ValueError, match="frames of other videos or of another choice"):
        written([drive, short], tmp_path / "out", split=True, block=5, gap=0, min_change=0)


def test_clips_that_follow_one_another_have_the_gap_too(tmp_path: Path) -> None:
    clips = [write_video(tmp_path / f"m{n}.avi", [pattern(100 * n + frame) for frame in range(12 * RATE + 2)])
             for n in range(4)]  # 12.2 s each
    rows = written(clips, tmp_path / "out", split=True, block=5, gap=2, min_change=0, every=0.5)
    times = [12.2 * int(row["video"][1]) + float(row["seconds"]) for row in rows]
    parts = [row["file"].split("/")[0] for row in rows]
    assert set(parts) == set(PARTS)
    apart = [after - before for before, after, one, two in zip(times, times[1:], parts, parts[1:], strict=False)
             if one != two]
    assert min(apart) >= 2


def test_edges_of_blocks_are_exact_where_times_are_no_binary_fractions(drive: Path, tmp_path: Path) -> None:
    rows = written([drive], tmp_path, every=0.1, first=0.1, end=30, split=True, block=0.3, gap=0.1, min_change=0)
    blocks = [int(row["block"]) for row in rows]
    assert {blocks.count(block) for block in range(99)} == {2}


def test_a_slow_change_is_held_against_the_last_frame_that_was_kept(tmp_path: Path) -> None:
    left, right = pattern(1).astype(float), pattern(2).astype(float)
    creep = [(left + (right - left) * share).astype(np.uint8) for share in np.linspace(0, 1, 61)]
    video = write_video(tmp_path / "creep.avi", [image for image in creep for _ in range(RATE)])
    neighbours = [change(thumbnail(a), thumbnail(b)) for a, b in pairwise(creep)]
    assert max(neighbours) < 0.06
    assert 5 < len(written([video], tmp_path / "out")) < 30


def test_rates_that_are_no_whole_numbers_do_not_drift(tmp_path: Path) -> None:
    path = tmp_path / "ntsc.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 29.97, (64, 48))
    for number in range(900):
        writer.write(pattern(number // 300))
    writer.release()
    seconds = [frame.seconds for frame in decode(open_video(path), 1)]
    assert len(seconds) == 30 and all(0 <= time - number < 0.034 for number, time in enumerate(seconds))


def test_groups_of_blocks_are_dealt_differently() -> None:
    deals = {tuple(part_of(5 * group + place, 0) for place in range(5)) for group in range(20)}
    assert len(deals) > 5


def test_folders_are_searched_as_for_photos_and_each_file_once(drive: Path, tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "drives", tmp_path / "elsewhere"
    for path in (folder / ".Trash" / "old.avi", folder / "sub" / "T12:30.AVI", elsewhere / "linked.avi"):
        path.parent.mkdir(parents=True)
        path.write_bytes(drive.read_bytes())
    (folder / "link").symlink_to(elsewhere)
    (folder / "twin.avi").symlink_to(folder / "sub" / "T12:30.AVI")
    assert sorted(video.path.name for video in find_videos([folder, folder / "sub"])) == ["T12:30.AVI", "linked.avi"]
    assert len(find_videos([drive, drive.parent / "." / drive.name])) == 1


def test_paths_that_opencv_cannot_take(drive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("T12:30.avi").write_bytes(drive.read_bytes())
    assert open_video(Path("T12:30.avi")).seconds == 100
    Path(".hidden.avi").write_bytes(drive.read_bytes())
    assert written([Path(".hidden.avi")], tmp_path / "out", every=50)[0]["file"] == "hidden-00000000ms.jpg"
    Path("x" * 240 + ".avi").write_bytes(drive.read_bytes())
    with pytest.raises(ValueError, match="too long"):
        find_videos([Path("x" * 240 + ".avi")])
    bad = Path("bad\udcff.avi")
    bad.write_bytes(drive.read_bytes())
    with pytest.raises(ValueError, match="is not UTF-8, and OpenCV reads no other; rename it"):
        open_video(bad)


def test_times_that_jump_back_are_told(drive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = cv2.VideoCapture

    class Joined:
        """The video's times begin again after 50 s."""
        def __init__(self, *args: object) -> None:
            self.capture = real(*args)

        def get(self, name: int) -> float:
            value = self.capture.get(name)
            return value - 50_000 if name == cv2.CAP_PROP_POS_MSEC and value >= 50_000 else value

        def __getattr__(self, name: str) -> object:
            return getattr(self.capture, name)

    video = open_video(drive)
    monkeypatch.setattr(cv2, "VideoCapture", Joined)
    with pytest.warns(UserWarning, match=r"jump back at 50.0 s"):
        seconds = [round(frame.seconds, 3) for frame in decode(video, 10)]
    assert seconds == list(range(0, 100, 10))


def test_a_stopped_command_goes_on_and_ends_in_the_same_bytes(drive: Path, tmp_path: Path) -> None:
    choice, videos = Choice(every=5, split=True, block=10, gap=0), find_videos([drive])
    list(frame_steps(videos, tmp_path / "whole", choice))
    steps = frame_steps(videos, tmp_path / "cut", choice)
    for _ in range(4):
        next(steps)
    steps.close()
    assert not is_finished(videos, tmp_path / "cut", choice) and not (tmp_path / "cut" / "frames.csv").exists()
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "cut").rglob("*.jpg")}
    assert len(kept) == 4
    list(frame_steps(videos, tmp_path / "cut", choice))
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    whole, cut = ({path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*")
                   if path.is_file()} for name in ("whole", "cut"))
    assert whole == cut and is_finished(videos, tmp_path / "cut", choice)


def test_deleted_frames_are_not_written_again(drive: Path, tmp_path: Path) -> None:
    rows = written([drive], tmp_path, every=10)
    (tmp_path / rows[0]["file"]).unlink()
    assert is_finished(find_videos([drive]), tmp_path, Choice(every=10))


@pytest.mark.parametrize(("choice", "message"), [
    ({"every": 0}, "every must be at least 0.001"), ({"first": 9, "end": 3}, "the end must come after the beginning"),
    ({"split": True, "gap": 15}, "gap must be shorter than the blocks"), ({"min_change": -1}, "min_change must be"),
    ({"block": float("nan")}, "block must be at least")])
def test_choices_that_cannot_be_met(choice: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Choice(**choice)  # type: ignore[arg-type]


def test_what_is_no_video_or_holds_other_things_is_named(drive: Path, tmp_path: Path,
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "note.mp4").write_text("no video")
    with pytest.raises(ValueError, match=r"note.mp4 cannot be read as a video"):
        find_videos([tmp_path / "note.mp4"])
    (tmp_path / "folder.mp4").mkdir()
    with pytest.warns(UserWarning, match=r"note.mp4 cannot be read .* left out"), pytest.raises(
            ValueError, match=r"no video in .*: none of its videos can be read"):
        find_videos([tmp_path])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no video in"):
        find_videos([tmp_path / "empty"])
    with pytest.raises(FileNotFoundError, match="there is no file"):
        find_videos([tmp_path / "missing.mp4"])
    twin = tmp_path / "more" / "drive.mov"
    twin.parent.mkdir()
    twin.write_bytes(drive.read_bytes())
    with pytest.raises(ValueError, match="have the same name"):
        find_videos([drive, twin])
    with pytest.raises(ValueError, match=r"the videos have 2 blocks of 60 s, and a split needs 5"):
        list(frame_steps(find_videos([drive]), tmp_path / "out", Choice(split=True, block=60)))
    with pytest.raises(ValueError, match="no video has a frame after 200 s; the longest ends at 100 s"):
        list(frame_steps(find_videos([drive]), tmp_path / "out", Choice(first=200)))
    assert not (tmp_path / "out").exists()
    with pytest.raises(ValueError, match="is not empty and holds no frames"):
        list(frame_steps(find_videos([drive]), tmp_path, Choice()))
    list(frame_steps(find_videos([drive]), tmp_path / "out", Choice(every=20)))
    with pytest.raises(ValueError, match="frames of other videos or of another choice"):
        list(frame_steps(find_videos([drive]), tmp_path / "out", Choice(every=30)))
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ImportError, match=r"scenefit\[video\]"):
        open_video(drive)


def test_a_video_that_is_cut_off_is_read_as_far_as_it_goes(drive: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.avi"
    cut.write_bytes(drive.read_bytes()[:drive.stat().st_size // 2])
    with pytest.warns(UserWarning, match="can be decoded up to"):
        rows = written([cut], tmp_path / "out", every=10)
    assert 3 <= len(rows) <= 6
