"""Pictures drawn without a browser: contact sheets, and the first view of a report."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from scenefit.files.atomic import atomic_write
from scenefit.report import conventions, detections, segmentations
from scenefit.report.charts import errors, static, static_errors, style, tables
from scenefit.report.charts.static import fitted, font
from scenefit.report.content import Images, ReportContent

GAP = 3
WIDTH, MARGIN = 1400, 48
INSIDE = WIDTH - 2 * MARGIN
MAX_ATTRIBUTES = 8
FEWEST_PAIRS = 5  # of photos and reconstructions in a row


def contact_sheet(images: Any, columns: int, scale: float | None = None,
                  captions: Sequence[str] | None = None) -> Image.Image:
    """Images in a grid, row by row.

    images: uint8 [k, H, W, 3] or [k, H, W].  scale: a whole number repeats pixels, a fraction below 1 shrinks with
    antialiasing, None scales small images to about 96 pixels and large ones to 320.  captions: one per image.
    ValueError without images, or for a wrong shape, scale or number of captions.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or 0 in images.shape:
        raise ValueError(f"a contact sheet needs images as uint8 [k, H, W, 3] with k >= 1, got {images.dtype} "
                         f"{list(images.shape)}")
    if columns < 1:
        raise ValueError(f"a contact sheet needs columns >= 1, got {columns}")
    if captions is not None and len(captions) != len(images):
        raise ValueError(f"a contact sheet needs one caption per image, got {len(captions)} for {len(images)}")
    cells = [_resized(image, _scale(image, scale)) for image in images]
    columns = min(columns, len(cells))
    return _grid(cells, columns, captions)


def write_contact_sheet(images: Any, path: Path, columns: int) -> None:
    """Write a `contact_sheet` as a PNG file, whole or not at all."""
    with atomic_write(path) as file:
        contact_sheet(images, columns).save(file, "PNG")


def _scale(image: Images, scale: float | None) -> float:
    if scale is None:
        longest = max(image.shape[:2])
        return min(1.0, 320 / longest) if longest > 64 else max(1, round(96 / longest))
    if scale <= 0 or (scale > 1 and scale != int(scale)):
        raise ValueError(f"a contact sheet's scale must be a whole number or lie between 0 and 1, got {scale}")
    return scale


def _resized(image: Images, scale: float) -> Image.Image:
    picture = Image.fromarray(image).convert("RGB")
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.LANCZOS)


def _grid(cells: list[Image.Image], columns: int, captions: Sequence[str] | None) -> Image.Image:
    type_ = font(12)
    texts = ["" if captions is None else _one_line(text) for text in (captions or [""] * len(cells))]
    width, height = cells[0].size
    pitch = max(width, min(140, max(int(type_.getlength(text)) + 8 for text in texts))) if captions else width
    step = height + (22 if captions else 0)
    rows = -(-len(cells) // columns)
    page = Image.new("RGB", (columns * (pitch + GAP) + GAP, rows * (step + GAP) + GAP),
                      "white" if captions else style.LINE)
    draw = ImageDraw.Draw(page)
    for i, (cell, text) in enumerate(zip(cells, texts, strict=True)):
        x, y = GAP + (i % columns) * (pitch + GAP), GAP + (i // columns) * (step + GAP)
        page.paste(cell, (x + (pitch - width) // 2, y))
        if captions:
            draw.text((x + pitch / 2, y + height + 3), fitted(text, type_, pitch), style.INK, type_, anchor="ma")
    if not captions and len(cells) % columns:  # no grey where the last row has no image
        used = (len(cells) % columns) * (pitch + GAP) + GAP
        draw.rectangle((used, (rows - 1) * (step + GAP) + GAP, page.width, page.height), fill="white")
    return page


def first_view(content: ReportContent) -> Image.Image:
    """The report's first view, 1400 pixels wide: verdict, images, table, distance and attributes."""
    parts = (_header, _panels, _reconstructions, _predictions, _detections, _errors, _segmentations, _convention,
             _results, _attributes, _outliers, _footer)
    blocks = [part(content) for part in parts]
    kept = [block for block in blocks if block is not None]
    page = Image.new("RGB", (WIDTH, sum(block.height + 36 for block in kept) + 60), "white")
    y = 48
    for block in kept:
        page.paste(block, (MARGIN, y))
        y += block.height + 36
    return page


def _header(content: ReportContent) -> Image.Image:
    parts = [_text(content.title, 34, style.INK, bold=True, max_lines=2)]
    if content.subtitle:
        parts.append(_text(content.subtitle, 17, style.SOFT, max_lines=2))
    if content.verdict:
        parts += [_blank(6), _framed(_text(content.verdict, 20, style.INK, INSIDE - 40, max_lines=5))]
    parts += [_text(text, 17, style.INK, max_lines=3) for text in content.untold]
    return _stack(parts, 8)


def _framed(text: Image.Image) -> Image.Image:
    """Text on a pale ground with a bar at its left."""
    box = Image.new("RGB", (INSIDE, text.height + 28), style.PALE)
    tinted = Image.composite(Image.new("RGB", text.size, style.PALE), text, Image.eval(text.convert("L"),
                                                                                     lambda v: 255 if v > 250 else 0))
    box.paste(tinted, (24, 14))
    ImageDraw.Draw(box).rectangle((0, 0, 5, box.height), fill=style.paint("learned").fill)
    return box


def _panels(content: ReportContent) -> Image.Image | None:
    if not content.panels:
        return None
    gap = 28
    width = (INSIDE - gap * 2) // 3
    blocks = []
    for role, title, images in content.panels:
        columns, rows, scale = _fit(images, width)
        shown = contact_sheet(images[: columns * rows], columns, scale)
        blocks.append(_stack([_label(title, role, width), shown], 8))
    note = content.brightness_note
    return _stack([_row(blocks, gap), _text(note, 14, style.SOFT)], 8) if note else _row(blocks, gap)


def _reconstructions(content: ReportContent) -> Image.Image | None:
    """Photos in a row, and below each its reconstruction."""
    shown = content.reconstructions
    if shown is None or not len(shown.photos):
        return None
    own = shown.photos.shape[2]

    def scale_of(count: int) -> float:
        width = (INSIDE - (count + 1) * GAP) / count
        return width // own if own <= width else width / own

    counts = range(min(FEWEST_PAIRS, len(shown.photos)), len(shown.photos) + 1)
    count = max(counts, key=lambda n: (n * own * scale_of(n) // 100, n))  # the widest row, of these the longest
    sheet = contact_sheet(np.concatenate([shown.photos[:count], shown.renders[:count]]), count, scale_of(count))
    return _stack([_text("Photos and their reconstructions", 17, style.INK, bold=True),
                   _text(shown.note, 14, style.SOFT, max_lines=2), sheet], 8)


def _predictions(content: ReportContent) -> Image.Image | None:
    table = tables.predictions(content, INSIDE)
    return None if table is None else _stack([table, _text(style.PREDICTION_NOTE, 14, style.SOFT, max_lines=4)], 8)


def _fit(images: Images, width: int, max_height: int = 330) -> tuple[int, int, float]:
    """Columns, rows and scale that fill a panel with cells of about 72 pixels, or three per row of large photos."""
    k, h, w = images.shape[:3]
    best: tuple[float, int, float] | None = None
    for columns in range(3, 9):
        room = (width - (columns + 1) * GAP) / columns
        scale = room // w
        if scale >= 1:
            score = scale * w / room - abs(scale * w - 72) / 400
            best = max(best, (score, columns, scale)) if best else (score, columns, scale)
    _, columns, scale = best or (0.0, 3, (width - 4 * GAP) / 3 / w)
    rows = max(1, min(int((max_height - GAP) // (h * scale + GAP)), 6))
    columns = min(columns, k)
    return columns, max(1, min(rows, k // columns)), scale


def _detections(content: ReportContent) -> Image.Image | None:
    """Rows of photos with detections, one per baseline; then false detections at equal recall."""
    shown = content.detections
    if shown is None or not shown.baselines:
        return None
    parts = [_text(f"Detections in {shown.photos} labelled photos, by training data", 20, style.INK,
                   bold=True)]
    key = [part for kind, text in detections.LEGEND.items()
           for part in (detections.sample(kind), _text(text, 15, style.INK, round(font(15).getlength(text)) + 20))]
    parts.append(_row(key, 6, middle=True))
    for one, pictures in detections.rows(shown, INSIDE):
        name = f"trained on: {one.baseline}"
        head = _row([_label(name, one.baseline, round(font(18).getlength(name)) + 40, 18),
                     _text(detections.counted(one), 20, style.INK, 700, bold=True)], 4, middle=True)
        parts += [head, _row(pictures, detections.GAP)]
    texts = detections.equal_recall(shown)
    if texts:
        parts.append(_framed(_stack([_text(f"{detections.names(shown)}, false detections at equal recall:", 15,
                                           style.SOFT, INSIDE - 40),
                                     *(_text(text, 18, style.INK, INSIDE - 40, bold=True) for text in texts)], 4)))
    if shown.note:
        parts.append(_text(shown.note, 14, style.SOFT, max_lines=2))
    return _stack(parts, 10)


def _segmentations(content: ReportContent) -> Image.Image | None:
    """A row for each photo: as it is, with its labels, and with what the network of each baseline predicts."""
    shown = content.segmentations
    if shown is None or not len(shown.images):
        return None
    pictures, columns = list(segmentations.rows(shown, INSIDE)), segmentations.columns(shown)
    each = pictures[0][0].width
    heads = [_stack([_text(title, 16, style.INK, each) if one is None else _label(title, one.baseline, each),
                     *([] if one is None else [_text(one.headline, 18, style.INK, each, bold=True),
                                               _text(one.details, 13, style.SOFT, each, max_lines=3)])], 2)
             for title, one in columns]
    key = [part for name, colour in segmentations.legend(shown) for part in (
        Image.new("RGB", (22, 15), colour), _text(name, 15, style.INK, round(font(15).getlength(name)) + 20))]
    note = [_text(shown.note, 14, style.SOFT, max_lines=2)] if shown.note else []
    return _stack([_text(segmentations.title(shown), 20, style.INK, bold=True), _row(key, 6, middle=True),
                   *(_row(row, segmentations.GAP) for row in (heads, *pictures)), *note], 10)


def _errors(content: ReportContent) -> Image.Image | None:
    """Four charts of what detectors miss and what their false detections are."""
    shown = content.detections.errors if content.detections else None
    if shown is None or not shown.baselines:
        return None
    gap = 40
    width, titles = (INSIDE - gap) // 2, errors.titles(shown)
    charts = [_stack([_text(title, 17, style.INK, width, bold=True), draw(shown, width, 300)], 8)
              for title, draw in ((titles.curve, static_errors.curves), (titles.sizes, static_errors.sizes),
                                  (titles.kinds, static_errors.kinds), (titles.sides, static_errors.sides))]
    room = (INSIDE - 640) // len(shown.baselines) - 4
    key = [_label(one.baseline, one.baseline, min(round(font(15).getlength(one.baseline)) + 44, room), 15)
           for one in shown.baselines]
    head = _row([_text(detections.MISTAKES, 20, style.INK, 640, bold=True), *key], 4, middle=True)
    return _stack([head, _text(errors.note(shown), 14, style.SOFT, max_lines=5), _row(charts[:2], gap),
                   _row(charts[2:], gap)], 12)


def _convention(content: ReportContent) -> Image.Image | None:
    """Renders with the labels that networks learned, beside labelled photos with people's."""
    each = (INSIDE - 3 * detections.GAP) // 4
    shown = conventions.section(content.detections, content.segmentations, each)
    if shown is None:
        return None
    columns = [_stack([_text(title, 15, style.INK, each), picture], 6) for title, picture in shown.pictures]
    return _stack([_text(shown.heading, 20, style.INK, bold=True), _text(shown.text, 14, style.SOFT, max_lines=3),
                   _row(columns, detections.GAP)], 10)


def _outliers(content: ReportContent) -> Image.Image | None:
    outliers = content.outliers
    if outliers is None or not len(outliers.images):
        return None
    width = outliers.images.shape[2]
    shown = contact_sheet(outliers.images[:6], 6, min(1.0, 200 / width) if width > 64 else None, outliers.captions[:6])
    return _stack([_text("Photos unlike every render", 17, style.INK, bold=True),
                   _text(outliers.note, 14, style.SOFT, max_lines=3), shown], 8)


def _results(content: ReportContent) -> Image.Image | None:
    """Table and distance, side by side where there are both."""
    both = content.table is not None and bool(style.stages(content.trace))
    width = (INSIDE - 40) // 2 if both else INSIDE
    height = max(300, 110 + 46 * len(content.table.rows)) if content.table else 320
    parts = []
    if content.table is not None:
        notes = [style.gap_text(content.table.gap_closed)] if content.table.gap_closed else []
        notes += [content.table.note] if content.table.note else []
        parts.append(_stack([_text(style.metric_title(content.table), 17, style.INK, width, bold=True),
                             static.baselines(content.table, width, height),
                             *(_text(note, 14, style.SOFT, width, max_lines=2) for note in notes)], 6))
    if style.stages(content.trace):
        title = "Distance to the photos (squared MMD), over renders"
        parts.append(_stack([_text(title, 17, style.INK, width, bold=True),
                             static.distance(content, width, height)], 6))
    return _row(parts, 40) if parts else None


def _attributes(content: ReportContent) -> Image.Image | None:
    many = len(content.attributes) > MAX_ATTRIBUTES
    shown = content.ranked_attributes[:MAX_ATTRIBUTES] if many else content.attributes
    if not shown:
        return None
    columns = max(3, min(4, len(shown)))
    gap = 28
    width = (INSIDE - gap * (columns - 1)) // columns
    cells = [_attribute(a, width) for a in shown]
    rows = [_row(cells[i:i + columns], gap) for i in range(0, len(cells), columns)]
    more = len(content.attributes) - len(shown)
    tail = [_text(f"{more} more attributes are in report.html.", 14, style.SOFT)] if more else []
    roles = [r for r in ("before", "after", "truth") if any(r in a.values for a in shown)]
    note = _text("each scaled to its own tallest bar; mean ± standard deviation", 14, style.SOFT, 700)
    head = _row([_text("Learned attributes", 17, style.INK, 200, bold=True),
                 *(_label(role, role, 90, 14) for role in roles), note], 12, middle=True)
    return _stack([head, *rows, *tail], 14)


def _attribute(attribute: Any, width: int) -> Image.Image:
    name = attribute.label + (f", {attribute.unit}" if attribute.unit else "")
    lines = [_label(f"{role}  {style.summary(values, attribute)}", role, width, 14)
             for role, values in attribute.values.items()]
    if attribute.warning:
        side = "lower" if attribute.at_bound == "low" else "upper"
        lines.append(_text(f"at its {side} bound: widen it?", 14, style.WARN, width, bold=True))
    return _stack([_text(name, 15, style.INK, width, bold=True), static.histogram(attribute, width, 150),
                   _stack(lines, 3)], 4)


def _footer(content: ReportContent) -> Image.Image | None:
    parts = [_text(warning, 15, style.WARN, max_lines=2) for warning in content.warnings[:4]]
    if len(content.warnings) > 4:
        parts.append(_text(f"{len(content.warnings) - 4} more warnings are in report.html.", 15, style.WARN))
    command = f"To reproduce: {content.command}" if content.command else ""
    facts = " · ".join(f"{name} {value}" for name, value in content.facts.items())
    parts += [_text(text, 14, style.SOFT, max_lines=2) for text in (command, facts) if text]
    return _stack(parts, 6) if parts else None


def _text(text: str, size: int, colour: str, width: int = INSIDE, bold: bool = False,
          max_lines: int = 1) -> Image.Image:
    """Text broken into at most max_lines lines of width pixels, cut with an ellipsis."""
    type_ = font(size, bold)
    lines = _broken(_one_line(text), type_, width)
    if len(lines) > max_lines:
        lines = [*lines[: max_lines - 1], fitted(" ".join(lines[max_lines - 1:]), type_, width)]
    step = round(size * 1.4)
    picture = Image.new("RGB", (width, step * len(lines)), "white")
    draw = ImageDraw.Draw(picture)
    for i, line in enumerate(lines):
        draw.text((0, i * step + step // 2), line, colour, type_, anchor="lm")
    return picture


def _label(text: str, role: str, width: int, size: int = 16) -> Image.Image:
    """Text after a swatch in the role's colour."""
    fill, edge = style.paint(role)
    words = _text(text, size, style.INK, width - 22)
    picture = Image.new("RGB", (width, words.height), "white")
    picture.paste(words, (22, 0))
    middle = words.height // 2
    ImageDraw.Draw(picture).rounded_rectangle((1, middle - 6, 13, middle + 6), 3, fill, edge, 2)
    return picture


def _broken(text: str, type_: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Lines no wider than width; words longer than a line, such as paths, are broken inside."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if type_.getlength(longer) <= width:
            lines[-1] = longer
            continue
        lines.append("")
        for letter in word:
            if type_.getlength(lines[-1] + letter) > width:
                lines.append("")
            lines[-1] += letter
    return [line for line in lines if line] or [""]


def _one_line(text: str) -> str:
    return " ".join(str(text).split())


def _blank(height: int) -> Image.Image:
    return Image.new("RGB", (1, height), "white")


def _stack(blocks: Sequence[Image.Image], gap: int) -> Image.Image:
    page = Image.new("RGB", (max(b.width for b in blocks), sum(b.height + gap for b in blocks) - gap), "white")
    y = 0
    for block in blocks:
        page.paste(block, (0, y))
        y += block.height + gap
    return page


def _row(blocks: Sequence[Image.Image], gap: int, middle: bool = False) -> Image.Image:
    page = Image.new("RGB", (sum(b.width + gap for b in blocks) - gap, max(b.height for b in blocks)), "white")
    x = 0
    for block in blocks:
        page.paste(block, (x, (page.height - block.height) // 2 if middle else 0))
        x += block.width + gap
    return page
