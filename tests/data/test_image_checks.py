"""Files that hold too many pixels, or not all of them, are skipped and named; the limit can be raised."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from raw_png import png

from scenefit.data.image_files import full_photo
from scenefit.data.photos import read_boxes, read_labelled, read_photos

SIZE = (24, 32)
YOLO = "0 0.5 0.5 0.2 0.3\n"
INCOMPLETE = "is incomplete: its file ends before the last row of its pixels; copy it again"
READERS = {"photos": ("", lambda folder: read_photos(folder, SIZE)),
           "classes": ("cat/", lambda folder: read_labelled(folder, SIZE)),
           "boxes": ("images/", lambda folder: read_boxes(folder, SIZE))}
every_reader = pytest.mark.parametrize("reader", READERS)


def noise(height=24, width=32, seed=0):
    return np.random.default_rng(seed).integers(1, 256, (height, width, 3), np.uint8)


def encoded(image, kind, **options):
    data = io.BytesIO()
    Image.fromarray(image).save(data, kind, **options)
    return data.getvalue()


def rows(image):
    return b"".join(b"\0" + row.tobytes() for row in image)


def read(reader, folder, name, data):
    """What a reader makes of a good photo, a.png, and of data in a file of this name."""
    prefix, read_all = READERS[reader]
    (folder / prefix).mkdir(exist_ok=True)
    (folder / f"{prefix}a.png").write_bytes(encoded(noise(), "PNG"))
    (folder / f"{prefix}{name}").write_bytes(data)
    if reader == "boxes":
        (folder / "labels").mkdir()
        for stem in ("a", name.rpartition(".")[0]):
            (folder / f"labels/{stem}.txt").write_text(YOLO)
        (folder / "data.yaml").write_text("train: images\nnames: [cell]\n")
    return read_all(folder)


def jpeg_without_end(**options):
    """The first half of a JPEG, with its end mark: libjpeg gives grey for the rest."""
    whole = encoded(noise(240, 320), "JPEG", **options)
    return whole[:len(whole) // 2] + b"\xff\xd9"


def half_copied(kind):
    """Of a file's whole size, but with zeros from its middle on, as an unfinished download is."""
    whole = encoded(noise(240, 320), kind)
    return whole[:len(whole) // 2] + bytes(len(whole) - len(whole) // 2)


DAMAGED = {
    "zq7.png": lambda: png(32, 24, 8, 2, rows(noise()[:10])),
    "zq7i.png": lambda: png(32, 24, 8, 2, bytes(39), interlaced=1),  # its first pass
    "zq7.jpg": jpeg_without_end,
    "zq7.JPG": lambda: jpeg_without_end(subsampling=0),
    "zq7.webp": lambda: half_copied("WEBP"),
    "zq7z.png": lambda: half_copied("PNG"),
    "zq7z.jpg": lambda: half_copied("JPEG"),
    "zq7c.png": lambda: png(32, 24, 8, 2, rows(noise())[:1000]),
    "zq7c.tif": lambda: encoded(noise(), "TIFF")[:-100],
}


@every_reader
@pytest.mark.parametrize("name", DAMAGED)
def test_a_photo_without_all_of_its_rows_is_skipped(tmp_path, reader, name):
    photos = read(reader, tmp_path, name, DAMAGED[name]())
    assert [path.name for path in photos.paths] == ["a.png"]
    (path, reason), = photos.skipped
    assert path.name == name and (reason == INCOMPLETE or re.fullmatch(r"is damaged \(.*\); copy it again", reason))


@pytest.mark.parametrize("name, data", {
    "black.png": encoded(np.zeros((24, 32, 3), np.uint8), "PNG"),
    "black1.png": png(32, 24, 1, 0, b"\0\0\0\0\0" * 24),
    "black16.png": png(32, 24, 16, 6, b"\0" * 24 * (1 + 32 * 8)),
    "interlaced.png": png(32, 24, 8, 2, b"\0" * 24 * 200, 1),
    "grey.jpg": encoded(np.full((240, 320, 3), 128, np.uint8), "JPEG"),
    "grey1.jpg": encoded(np.full((240, 320), 128, np.uint8), "JPEG"),
    "progressive.jpg": encoded(np.full((240, 320, 3), 128, np.uint8), "JPEG", progressive=True),
    "padded.jpg": encoded(noise(), "JPEG") + bytes(500),
    "black.webp": encoded(np.zeros((24, 32, 3), np.uint8), "WEBP"),
}.items())
def test_whole_photos_that_end_black_or_grey_are_read(tmp_path, name, data):
    photos = read("photos", tmp_path, name, data)
    assert len(photos) == 2 and photos.skipped == ()


@every_reader
def test_a_photo_of_too_many_pixels_is_named_and_the_limit_can_be_raised(tmp_path, reader, monkeypatch):
    monkeypatch.setenv("SCENEFIT_MAX_MEGAPIXELS", "0.01")
    photos = read(reader, tmp_path, "zq7.png", encoded(noise(96, 128), "PNG"))
    assert [path.name for path in photos.paths] == ["a.png"]
    assert [(path.name, reason) for path, reason in photos.skipped] == [(
        "zq7.png", "has 128 x 96 pixels, 0.0 megapixels, and the limit is 0.01; shrink it, or raise the limit with "
                   "scenefit --max-megapixels N COMMAND, or with SCENEFIT_MAX_MEGAPIXELS=N in the environment")]
    monkeypatch.setenv("SCENEFIT_MAX_MEGAPIXELS", "0.013")
    assert len(READERS[reader][1](tmp_path)) == 2


def test_the_limit_may_lie_above_that_of_pillow(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    path = tmp_path / "zq7.png"
    path.write_bytes(encoded(noise(96, 128), "PNG"))
    assert np.array_equal(full_photo(path), noise(96, 128)) and Image.MAX_IMAGE_PIXELS == 1000


@pytest.mark.parametrize("text", ["0", "-3", "nan", "many"])
def test_a_limit_that_is_no_number_above_0_is_named(tmp_path, monkeypatch, text):
    monkeypatch.setenv("SCENEFIT_MAX_MEGAPIXELS", text)
    (tmp_path / "zq7.png").write_bytes(encoded(noise(), "PNG"))
    with pytest.raises(ValueError, match=f"SCENEFIT_MAX_MEGAPIXELS needs a number of megapixels above 0, got '{text}'"):
        read_photos(tmp_path, SIZE)


def test_a_few_bytes_are_no_photo_of_100_megapixels(tmp_path):
    data = png(10000, 10000, 8, 2, b"")
    photos = read("photos", tmp_path, "zq7.png", data)
    assert photos.skipped == ((tmp_path / "zq7.png", f"is incomplete: {len(data)} bytes cannot hold its 10000 x 10000 "
                                                     "pixels; copy it again"),)


@every_reader
@pytest.mark.parametrize("start, text", [
    (b"\0\0\0\x18ftypheic", "is a HEIC image"), (b"\0\0\0\x1cftypavif", "is an AVIF image"), (b"%PDF-1.7", "is a PDF"),
    (b"PK\3\4", "is a zip archive"), (b"<!DOCTYPE html>", "is a web page"), (bytes(100), "begins with zeros: it was "),
    (b"version https://git-lfs", "is a pointer of Git LFS"), (b"", "is empty"), (b"text", "is damaged, or no image"),
    (b"\r\n <html>", "is a web page"), (b"<?xml version=1?>\n<Error>", "is a text that begins with '<?xml "),
    (b'{"zq7": 404}', "is a text that begins with '{\"zq7\": 404}' (a failed download?), and no image; copy it again")])
def test_files_that_only_their_name_makes_a_photo_are_told_by_their_content(tmp_path, reader, start, text):
    (path, reason), = read(reader, tmp_path, "zq7.jpg", start).skipped
    assert path.name == "zq7.jpg" and reason.startswith(text)


@pytest.mark.parametrize("kind, image", {
    "RGBA": Image.fromarray(np.dstack([noise(), noise(seed=1)[..., 0]])), "L": Image.fromarray(noise()[..., 0]),
    "P": Image.fromarray(noise()).quantize(16), "CMYK": Image.fromarray(noise()).convert("CMYK"),
    "I;16": Image.fromarray(noise()[..., 0].astype(np.uint16) * 257),
    "F": Image.fromarray(noise()[..., 0].astype(np.float32) / 255)}.items())
def test_rows_that_are_converted_in_bands_give_the_same_image(tmp_path, monkeypatch, kind, image):
    image.save(tmp_path / "a.tif")
    whole = full_photo(tmp_path / "a.tif")
    monkeypatch.setattr("scenefit.data.image_files.BAND", 32 * 5)
    assert image.mode == kind and np.array_equal(full_photo(tmp_path / "a.tif"), whole)
