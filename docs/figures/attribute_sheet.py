"""Sheets of what attributes do, one block for each: its name, a picture for each of its values, and the values.

shapes.py and street.py draw such sheets.
"""

from collections.abc import Callable, Sequence

from PIL import Image, ImageDraw

from scenefit.report.charts.static import font

GAP, TITLE, NUMBER, MARGIN = 4, 26, 20, 22  # pixels: between cells, of the texts above and below them, around blocks


def block(name: str, values: Sequence[float], cell: Callable[[float], Image.Image]) -> Image.Image:
    """cell: the picture of a value; all of one size."""
    cells = [cell(value) for value in values]
    width, height = cells[0].size
    sheet = Image.new("RGB", (len(values) * (width + GAP) - GAP, TITLE + height + NUMBER), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((0, 2), name, "black", font(17))
    for place, (value, picture) in enumerate(zip(values, cells, strict=True)):
        left = place * (width + GAP)
        sheet.paste(picture, (left, TITLE))
        draw.text((left + width / 2, TITLE + height + 3), f"{value:g}", "dimgrey", font(14), anchor="ma")
    return sheet


def arranged(blocks: Sequence[Image.Image], across: int) -> Image.Image:
    """Blocks of one size, so many side by side."""
    width, height = blocks[0].width + MARGIN, blocks[0].height + MARGIN // 2
    sheet = Image.new("RGB", (across * width + MARGIN, -(-len(blocks) // across) * height + MARGIN), "white")
    for place, one in enumerate(blocks):
        sheet.paste(one, (MARGIN + place % across * width, MARGIN // 2 + place // across * height))
    return sheet
