"""Tables of a report drawn as pictures: attributes with their predictions, and counts of objects."""

from collections.abc import Sequence

from PIL import Image, ImageDraw

from scenefit.report.charts import style
from scenefit.report.charts.static import fitted, font
from scenefit.report.content import ReportContent

ROW, SIZE = 27, 15  # pixels
MAX_ROWS = 14
ATTRIBUTE_WIDTHS = (0.19, 0.19, 0.19, 0.07, 0.08, 0.08, 0.07, 0.13)  # shares of the columns
COUNT_WIDTHS = (0.2, 0.16, 0.16, 0.18, 0.18, 0.12)


def predictions(content: ReportContent, width: int) -> Image.Image | None:
    """What the photos tell of each attribute, and counts of objects; None where nothing of the kind was measured."""
    if not content.predicted:
        return None
    rows = [style.prediction_row(a) for a in content.predicted]
    more = len(rows) - MAX_ROWS
    pictures = [_line("What the photos tell of each attribute", width, 17, style.INK, bold=True),
                _table(style.PREDICTION_TITLES, rows[:MAX_ROWS], ATTRIBUTE_WIDTHS, width, range(3, 7))]
    if more > 0:
        pictures.append(_line(f"{more} more are in report.html.", width, 14, style.SOFT))
    if content.counts:
        pictures.append(_table(style.COUNT_TITLES, [style.count_row(c) for c in content.counts], COUNT_WIDTHS, width,
                               range(1, 6)))
    page = Image.new("RGB", (width, sum(p.height + 10 for p in pictures) - 10), "white")
    y = 0
    for picture in pictures:
        page.paste(picture, (0, y))
        y += picture.height + 10
    return page


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]], shares: Sequence[float], width: int,
           numbers: Sequence[int]) -> Image.Image:
    """numbers: the columns whose texts stand at the right."""
    page = Image.new("RGB", (width, ROW * (len(rows) + 1)), "white")
    draw, x = ImageDraw.Draw(page), 0.0
    for column, share in enumerate(shares):
        room = share * width
        for place, texts in enumerate([titles, *rows]):
            type_ = font(SIZE - (place == 0), bold=place > 0 and column == 0)
            at = x + room - 16 if column in numbers else x
            draw.text((at, (place + 0.5) * ROW), fitted(texts[column], type_, int(room) - 12),
                      style.SOFT if place == 0 else style.INK, type_, anchor="rm" if column in numbers else "lm")
        x += room
    for place in range(len(rows) + 1):
        draw.line((0, (place + 1) * ROW - 1, width, (place + 1) * ROW - 1), style.LINE)
    return page


def _line(text: str, width: int, size: int, colour: str, bold: bool = False) -> Image.Image:
    page = Image.new("RGB", (width, round(size * 1.4)), "white")
    ImageDraw.Draw(page).text((0, page.height // 2), text, colour, font(size, bold), anchor="lm")
    return page
