"""scenefit frames: photos from videos."""

import re
from pathlib import Path
from typing import Annotated

import typer

from scenefit.cli import console
from scenefit.cli.options import RESUME, SeedOption

UNITS = {"": 1.0, "ms": 1e-3, "s": 1.0, "min": 60.0}


def seconds(text: str | float) -> float:
    """A time such as 500ms, 1.5s, 2min or 2 in seconds. BadParameter for anything else."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)\s*", str(text).lower())
    if found is None or found[2] not in UNITS:
        raise typer.BadParameter(f"{text!r} is no time; give seconds, such as 2 or 0.5s, or 500ms or 2min")
    return float(found[1]) * UNITS[found[2]]


@console.command(RESUME)
def frames(
    videos: Annotated[list[Path], typer.Argument(metavar="VIDEO...", help="Videos, or folders of videos.",
                                                 show_default=False)],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the frames.", show_default=False)],
    every: Annotated[float, typer.Option("--every", metavar="TIME", parser=seconds, help="Time between frames: 1s, "
                                         "500ms, 2min.", show_default="1s")] = 1.0,
    first: Annotated[float, typer.Option("--from", metavar="TIME", parser=seconds, help="Begin here in each video.",
                                         show_default="0s")] = 0.0,
    end: Annotated[float | None, typer.Option("--to", metavar="TIME", parser=seconds, help="End here in each video.",
                                              show_default="its end")] = None,
    min_change: Annotated[float, typer.Option("--min-change", min=0, help="Leave out frames that differ less from the "
                                              "last one that was kept, in standard deviations of its lightness; "
                                              "0 keeps all.")] = 0.06,
    split: Annotated[bool, typer.Option("--split", help="Deal blocks of time out to the folders unlabelled (three of "
                                        "five), labelled and held_out.")] = False,
    block: Annotated[float, typer.Option("--block", metavar="TIME", parser=seconds, help="Length of a block.",
                                         show_default="15s")] = 15.0,
    gap: Annotated[float, typer.Option("--gap", metavar="TIME", parser=seconds, show_default="3s", help="Dropped at "
                                       "the end of each block and video, so that parts lie apart in time.")] = 3.0,
    seed: SeedOption = 0,
) -> None:
    """Write frames of videos as photos.

    \b
      scenefit frames drive.mp4 --every 1s --out frames/
      scenefit frames drives/ --split --out frames/
      scenefit fit street.py --real frames/unlabelled --out runs/street

    Writes JPEG files of quality 95, named after their video and their time in milliseconds, and frames.csv: file,
    video, seconds, block. Frames in which hardly anything has changed, because the camera stands still, are left out.

    With --split, label the photos in labelled/ and held_out/, give labelled/ to fit or train, and measure on held_out/.
    Neighbouring frames show the same things, so single frames must not be dealt out. For an interval, resample blocks.

    Needs OpenCV: pip install "scenefit[video]".
    """
    from scenefit.data.video_frames import Choice, check_out, find_videos, frame_steps, is_finished
    from scenefit.files.lock import lock
    from scenefit.files.text import counted

    choice = Choice(every, first, end, min_change, split, block, gap, seed)
    found = find_videos(videos)
    check_out(out)  # before it is locked, so that a folder that is refused stays as it is
    if is_finished(found, out, choice):
        console.say(f"{out} holds these frames already")
        return
    with lock(out), console.bar(("kept",)) as progress:
        shown = progress.add_task("seconds of video", total=None, kept="")
        for step in frame_steps(found, out, choice):
            progress.update(shown, completed=min(step.done, step.of) if step.of else step.done, total=step.of or None,
                            kept=counted(sum(step.kept.values()), "frame"))
    unchanged = f" ({step.unchanged:,} more left out: hardly anything had changed)" if step.unchanged else ""
    console.say(f"{out}: {counted(sum(step.kept.values()), 'frame')} of {counted(len(found), 'video')}{unchanged}")
    if split:
        console.say(", ".join(f"{part} {count:,}" for part, count in sorted(step.kept.items())))
