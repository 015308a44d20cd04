"""Photos of every kind come out as the renderer's size in 8-bit RGB; broken ones are named."""

import io
import os
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from raw_png import png

from scenefit.data.image_files import find_photos, full_photo
from scenefit.data.photos import Photos, as_photos, read_labelled, read_photos, split

pytestmark = pytest.mark.filterwarnings("ignore:.*area in")  # photos of many shapes
SIZE = (6, 8)
READERS = {"photos": ("", lambda folder: read_photos(folder, SIZE)),
           "classes": ("cat/", lambda folder: read_labelled(folder, SIZE))}
either_reader = pytest.mark.parametrize("reader", READERS)


def noise(height=6, width=8, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def scene(height, width):
    """Smooth, and different in each quarter, so that a turn or a wrong crop shows."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([255 * x / width, 255 * y / height, 128 + 0 * x], 2).astype(np.uint8)


def store(path, image, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(path, **options)
    return path


def read_one(path, size=SIZE):
    photos = read_photos(path.parent, size)
    assert photos.skipped == () and photos.paths == (path,)
    return photos.images[0]


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "TIFF", "WebP", "PNG"])
def test_photos_of_the_right_size_stay_bit_for_bit(tmp_path, ending):
    options = {"lossless": True} if ending == "WebP" else {}
    path = store(tmp_path / f"a.{ending}", noise(), **options)
    assert np.array_equal(read_one(path), noise())


@pytest.mark.parametrize("ending", ["jpg", "JPEG"])
def test_jpeg_of_the_right_size_is_what_the_decoder_gives(tmp_path, ending):
    path = store(tmp_path / f"a.{ending}", noise(48, 64))
    assert np.array_equal(read_one(path, (48, 64)), np.asarray(Image.open(path)))


def test_a_folder_is_read_sorted_with_subfolders_and_without_hidden_or_other_files(tmp_path):
    wanted = ["B.png", "a/2.png", "a/sub/1.PNG", "b.png"]
    for i, name in enumerate(wanted):
        store(tmp_path / name, noise(seed=i))
    for name in [".hidden.png", ".cache/x.png", "a/._1.png"]:
        store(tmp_path / name, noise())
    (tmp_path / "notes.txt").write_text("no photo")
    (tmp_path / "folder.png").mkdir()
    photos = read_photos(str(tmp_path), SIZE)
    assert [path.relative_to(tmp_path).as_posix() for path in photos.paths] == wanted
    assert np.array_equal(photos.images, [noise(seed=i) for i in range(4)])
    assert photos.images.dtype == np.uint8 and photos.label.tolist() == [""] * 4 and photos.skipped == ()
    assert len(photos) == 4


def test_links_to_folders_are_followed_once(tmp_path):
    store(tmp_path / "real/a.png", noise())
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/link").symlink_to(tmp_path / "real")
    (tmp_path / "real/back").symlink_to(tmp_path / "photos")
    assert len(read_photos(tmp_path / "photos", SIZE)) == 1


def test_a_folder_is_left_out_wherever_a_link_leads_to_it(tmp_path):
    for name in ("a.png", "found/b.png", "found/c.gif", "found/deep/d.png"):
        store(tmp_path / name, noise())
    (tmp_path / "link").symlink_to(tmp_path / "found")
    assert find_photos(tmp_path, tmp_path / "found") == ([tmp_path / "a.png"], ())
    assert len(find_photos(tmp_path, tmp_path)[0]) == len(find_photos(tmp_path, tmp_path.parent)[0]) == 3
    assert len(find_photos(tmp_path)[0]) == 3 and len(find_photos(tmp_path)[1]) == 1


@pytest.mark.parametrize("height, width", [(60, 200), (200, 60), (60, 80), (30, 41), (6, 100), (61, 8), (3, 4), (1, 9)])
def test_the_short_side_fits_and_the_centre_is_kept(tmp_path, height, width):
    image = read_one(store(tmp_path / "a.png", scene(height, width))).astype(float)
    scale = max(8 / width, 6 / height)
    x = ((np.arange(8) + 0.5 - 4) / scale + width / 2 - 0.5) / width * 255  # where each pixel's centre comes from
    y = ((np.arange(6) + 0.5 - 3) / scale + height / 2 - 0.5) / height * 255
    room = 10 if scale <= 1 else 255 / min(height, width)
    assert np.abs(image[..., 0] - x).max() < room and np.abs(image[..., 1] - y[:, None]).max() < room


def test_a_photo_that_only_needs_cropping_keeps_its_pixels(tmp_path):
    full = noise(6, 13)
    assert np.array_equal(read_one(store(tmp_path / "a.png", full)), full[:, 2:10])


@pytest.mark.filterwarnings("error")
def test_photos_of_another_shape_are_told(tmp_path):
    """Where most of them lose more than a fifth; with EXIF's turn, and where JPEG is decoded small."""
    store(tmp_path / "all/a.png", scene(60, 80))
    store(tmp_path / "all/b.png", scene(6, 13))
    read_photos(tmp_path / "all", SIZE)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(scene(480, 640)).save(tmp_path / "all/c.jpg", exif=exif)
    text = (r"^38% of the photos' area in .*all is cut off when they are brought to the renderer's 6 x 8 pixels "
            r"\(height x width\); give the renderer their ratio of height to width")
    with pytest.warns(UserWarning, match=text):
        read_photos(tmp_path / "all", SIZE)
    (tmp_path / "all/b.png").unlink()
    (tmp_path / "all/a.png").unlink()
    with pytest.warns(UserWarning, match="^44% of the photos' area"):
        read_photos(tmp_path / "all", SIZE)


def test_shrinking_is_antialiased(tmp_path):
    stripes = np.zeros((600, 800, 3), np.uint8)
    stripes[:, ::2] = 255
    for name in ["a.png", "b.jpg"]:
        store(tmp_path / name, stripes)
    images = read_photos(tmp_path, SIZE).images.astype(int)
    assert np.abs(images - 128).max() <= 2


def test_a_large_jpeg_decoded_small_looks_like_the_whole_one(tmp_path):
    for name in ["a.jpg", "b.png"]:
        store(tmp_path / name, scene(900, 1600))
    jpeg, png = read_photos(tmp_path, (32, 32)).images.astype(int)
    assert np.abs(jpeg - png).max() <= 3


def test_a_whole_photo_is_the_one_that_is_brought_to_size(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    clear = np.dstack([scene(48, 64), np.full((48, 64), 51, np.uint8)])
    for name, image in (("a.png", scene(48, 64)), ("b.png", clear), ("c.png", np.full((48, 64), 99 * 257, np.uint16))):
        whole = full_photo(store(tmp_path / name, image, exif=exif))
        assert whole.shape == (64, 48, 3) and np.array_equal(whole, read_photos(tmp_path, (64, 48)).images[-1])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
def test_exif_rotation_is_applied(tmp_path, orientation, ending):
    upright = scene(48, 64)
    back = {1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
            5: lambda a: a.transpose(1, 0, 2), 6: lambda a: np.rot90(a), 7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
            8: lambda a: np.rot90(a, -1)}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = store(tmp_path / f"a.{ending}", np.ascontiguousarray(back(upright)), exif=exif)
    assert np.abs(read_one(path, (48, 64)).astype(int) - upright).max() <= 20


def test_grey_and_black_and_white(tmp_path):
    values = noise()[..., 0]
    assert np.array_equal(read_one(store(tmp_path / "g/a.png", values)), np.repeat(values[..., None], 3, 2))
    bits = Image.fromarray(values > 127)
    assert np.array_equal(read_one(store(tmp_path / "b/a.png", bits))[..., 1], np.where(values > 127, 255, 0))


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_16_bit_grey_keeps_its_scale(tmp_path, ending):
    values = np.tile(np.array([0, 128, 129, 257, 25700, 32768, 65406, 65535], np.uint16), (6, 1))
    image = read_one(store(tmp_path / f"a.{ending}", values))
    assert image[0, :, 0].tolist() == [0, 0, 1, 1, 100, 128, 254, 255]
    assert np.array_equal(image[..., 0], image[..., 2])


@pytest.mark.filterwarnings("error")
def test_12_bit_values_in_16_bit_grey_are_named_once_for_a_folder(tmp_path):
    for name in ("a.png", "b.tif", "c/d.tif"):
        store(tmp_path / "all" / name, np.full(SIZE, 4095 - len(name), np.uint16))
    store(tmp_path / "all/bright.png", np.full(SIZE, 4096, np.uint16))
    store(tmp_path / "dark/1.png", np.zeros(SIZE, np.uint8))
    store(tmp_path / "dark/2.tif", np.zeros(SIZE, np.float32))
    assert read_photos(tmp_path / "dark", SIZE).images.max() == 0
    text = (r"3 16-bit photos of .*all have no value above 4,095: 12-bit values become nearly "
            r"black \(at most 16 of 255\); multiply their values by 16 when you write them")
    with pytest.warns(UserWarning, match=text) as said:
        found = read_photos(tmp_path / "all", SIZE)
    assert len(said) == 1 and len(found) == 4 and found.images.max() == 16 and found.skipped == ()
    with pytest.warns(UserWarning, match=r"^1 16-bit photo of .*classes has") as said:
        store(tmp_path / "classes/a/1.png", np.full(SIZE, 9, np.uint16))
        read_labelled(tmp_path / "classes", SIZE)
    assert len(said) == 1


def rgb_tiff(values, order="<"):
    """A 16-bit RGB TIFF, by hand: Pillow writes none."""
    data = values.astype(f"{order}u2").tobytes()
    height, width = values.shape[:2]
    tags = ((256, 3, 1, width), (257, 3, 1, height), (258, 3, 3, 8 + len(data)), (259, 3, 1, 1), (262, 3, 1, 2),
            (273, 4, 1, 8), (277, 3, 1, 3), (278, 3, 1, height), (279, 4, 1, len(data)))
    table = struct.pack(f"{order}H", len(tags))
    for tag, form, count, value in tags:
        short = form == 3 and count == 1
        table += struct.pack(f"{order}HHI" + ("HH" if short else "I"), tag, form, count,
                             *([value, 0] if short else [value]))
    mark = b"II" if order == "<" else b"MM"
    return (mark + struct.pack(f"{order}HI", 42, 8 + len(data) + 6) + data + struct.pack(f"{order}HHH", 16, 16, 16)
            + table + bytes(4))


@either_reader
@pytest.mark.parametrize("most, warned", [(4095, True), (4096, False), (0, False)])
@pytest.mark.parametrize("kind", ["rgb.png", "rgba.png", "la.png", "little.tif", "big.tif"])
def test_12_bit_values_in_16_bit_colour_are_named_with_a_way_to_convert(tmp_path, reader, kind, most, warned):
    prefix, read = READERS[reader]
    bands = {"rgb.png": 3, "rgba.png": 4, "la.png": 2}.get(kind, 3)
    values = np.full((*SIZE, bands), most)
    values[..., 3 if bands == 4 else bands - 1] = 65535 if bands in (2, 4) else most // 2
    path = tmp_path / f"{prefix}zq7.{kind[-3:]}"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(rgb_tiff(values, "<" if kind == "little.tif" else ">") if kind.endswith("tif") else png(
        8, 6, 16, {2: 4, 3: 2, 4: 6}[bands], b"".join(b"\0" + row.tobytes() for row in values.astype(">u2"))))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert read(tmp_path).images.max() == most // 256
    assert [str(one.message)[:16] for one in said] == ["1 16-bit photo o"] * warned
    if warned:
        assert str(said[0].message).endswith("multiply their values by 16 when you write them (ImageMagick: magick "
                                             "old.png -evaluate multiply 16 new.png)")


def test_16_bit_colour_keeps_its_scale(tmp_path):
    raw = np.full((6, 8, 3), 100 * 257, ">u2")
    body = b"".join(b"\0" + row.tobytes() for row in raw)
    (tmp_path / "a.png").write_bytes(png(8, 6, 16, 2, body))
    assert np.abs(read_one(tmp_path / "a.png").astype(int) - 100).max() <= 1


def test_32_bit_and_float_tiffs_are_read_where_their_scale_is_clear(tmp_path):
    whole = np.full(SIZE, 51400, np.int32)
    assert read_one(store(tmp_path / "i/a.tif", whole))[0, 0].tolist() == [200, 200, 200]
    assert read_one(store(tmp_path / "f/a.tif", np.full(SIZE, 0.4, np.float32)))[0, 0].tolist() == [102, 102, 102]
    store(tmp_path / "bad/a.tif", whole * 2)
    store(tmp_path / "bad/b.tif", np.full(SIZE, 7.0, np.float32))
    store(tmp_path / "bad/c.tif", np.full(SIZE, np.nan, np.float32))
    store(tmp_path / "bad/d.png", noise())
    reasons = [reason for _, reason in read_photos(tmp_path / "bad", SIZE).skipped]
    floats = "a photo of floats needs values in 0..1, got {0}..{0}; divide them by the largest that they can have"
    assert reasons == ["whole numbers from 102800 to 102800 are beyond 16 bits; bring them to 0..65535",
                       floats.format("7"), floats.format("nan")]


def test_transparency_is_laid_on_white(tmp_path):
    colour = np.zeros((6, 8, 4), np.uint8)
    colour[..., 0], colour[:, 4:, 3] = 200, 255
    colour[:, 2:4, 3] = 51
    image = read_one(store(tmp_path / "rgba/a.png", colour))
    assert image[0, [0, 3, 7]].tolist() == [[255, 255, 255], [244, 204, 204], [200, 0, 0]]
    both = Image.merge("LA", [Image.fromarray(colour[..., 0]), Image.fromarray(colour[..., 3])])
    assert read_one(store(tmp_path / "la/a.png", both))[0, [0, 7], 1].tolist() == [255, 200]
    key = store(tmp_path / "key/a.png", Image.fromarray(colour[..., :3]), transparency=(200, 0, 0))
    assert np.all(read_one(key) == 255)


def test_palettes_with_and_without_transparency(tmp_path):
    indexed = Image.fromarray(np.repeat(np.array([[0, 1]], np.uint8), 4, 1).repeat(6, 0), "P")
    indexed.putpalette([10, 20, 30, 200, 100, 50])
    assert read_one(store(tmp_path / "p/a.png", indexed))[0, [0, 7]].tolist() == [[10, 20, 30], [200, 100, 50]]
    image = read_one(store(tmp_path / "t/a.png", indexed, transparency=0))
    assert image[0, [0, 7]].tolist() == [[255, 255, 255], [200, 100, 50]]


def test_cmyk_jpeg(tmp_path):
    path = store(tmp_path / "a.jpg", Image.new("CMYK", (64, 48), (0, 255, 255, 0)))
    assert np.abs(read_one(path, (48, 64)).astype(int) - [255, 0, 0]).max() <= 3


@pytest.mark.parametrize("ending", ["tif", "webp", "png"])
def test_the_first_of_several_frames_is_taken(tmp_path, ending):
    first, second = Image.fromarray(scene(6, 8)), Image.fromarray(255 - scene(6, 8))
    options = {"lossless": True} if ending == "webp" else {}
    path = store(tmp_path / f"zq7.{ending}", first, save_all=True, append_images=[second], **options)
    photos = read_photos(tmp_path, SIZE)
    assert np.abs(photos.images[0].astype(int) - scene(6, 8)).max() <= 2
    assert photos.skipped == ((path, "has 2 frames or pages, of which only the first is read; save each as a file of "
                                     "its own if they are photos too"),)


def broken_files(folder):
    """Every way in which a file is no photo -> a word of the reason."""
    jpeg = io.BytesIO()
    Image.fromarray(noise(48, 64)).save(jpeg, "JPEG")
    gif = io.BytesIO()
    Image.fromarray(noise()).save(gif, "GIF")
    contents = {"bomb.png": png(60000, 60000, 8, 2, bytes(100)), "cut.jpg": jpeg.getvalue()[:-400],
                "empty.jpg": b"", "gif.jpg": gif.getvalue(), "text.png": b"this is no photo"}
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    (folder / "dangling.png").symlink_to(folder / "nowhere.png")
    os.mkfifo(folder / "fifo.png")
    return {"bomb.png": "has 60000 x 60000 pixels, 3,600.0 megapixels, and the limit is 120", "cut.jpg": "truncated",
            "dangling.png": "not a file", "empty.jpg": "is empty", "fifo.png": "not a file",
            "gif.jpg": "is a GIF image, whatever its name says",
            "text.png": "is a text that begins with 'this is no photo'"}


def test_broken_photos_among_good_ones_are_skipped_and_named(tmp_path):
    reasons = broken_files(tmp_path)
    store(tmp_path / "a.png", noise(seed=1))
    store(tmp_path / "z.png", noise(seed=2))
    photos = read_photos(tmp_path, SIZE)
    assert [path.name for path in photos.paths] == ["a.png", "z.png"]
    assert np.array_equal(photos.images, [noise(seed=1), noise(seed=2)])
    assert [path.name for path, _ in photos.skipped] == list(reasons)
    for (_, reason), word in zip(photos.skipped, reasons.values(), strict=True):
        assert word in reason


def test_images_of_other_kinds_are_named(tmp_path):
    store(tmp_path / "a.png", noise())
    for name in ["b.GIF", "sub/c.heic", ".d.gif", ".hidden/e.gif"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "notes.txt").write_text("no image")
    assert read_photos(tmp_path, SIZE).skipped == (
        (tmp_path / "b.GIF", "images ending in .GIF are not read; convert them to PNG, or to JPEG"),
        (tmp_path / "sub/c.heic", "images ending in .heic are not read; convert them to PNG, or to JPEG"))


def test_a_photo_cut_anywhere_is_skipped_or_read_but_never_raises(tmp_path):
    whole = {name: store(tmp_path / "whole" / name, noise(24, 32)).read_bytes()
             for name in ["a.jpg", "a.png", "a.bmp", "a.tif", "a.webp"]}
    for name, data in whole.items():
        for length in range(0, len(data), max(1, len(data) // 12)):
            path = tmp_path / "cut" / f"{length:06d}{name}"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data[:length])
    store(tmp_path / "cut/z.png", noise())
    photos = read_photos(tmp_path / "cut", SIZE)
    assert len(photos.skipped) >= 50 and all(reason for _, reason in photos.skipped)


def test_a_folder_that_cannot_be_listed_is_named(tmp_path, monkeypatch):
    store(tmp_path / "a.png", noise())
    store(tmp_path / "locked/b.png", noise())
    scandir = os.scandir

    def guarded(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    photos = read_photos(tmp_path, SIZE)
    assert len(photos) == 1 and photos.skipped == ((tmp_path / "locked", "cannot be listed: Permission denied"),)


def test_a_folder_without_readable_photos_says_what_was_looked_for(tmp_path):
    with pytest.raises(ValueError, match=r"no readable photo in .*: looked there and in its subfolders for files "
                                         r"ending in \.jpg, \.jpeg, .*\.webp; no file was skipped"):
        read_photos(tmp_path, SIZE)
    broken_files(tmp_path)
    with pytest.raises(ValueError, match=r"7 skipped: .*bomb\.png \(.*megapixels.*\), .*cut\.jpg \(.*truncated.*\), "
                                         r".*dangling\.png \(not a file.*\) and 4 more"):
        read_photos(tmp_path, SIZE)


@pytest.mark.parametrize("read", [read_photos, read_labelled])
def test_a_missing_folder_and_a_bad_size(tmp_path, read):
    with pytest.raises(ValueError, match=r"nowhere is missing; give a folder of photos \(\.jpg"):
        read(tmp_path / "nowhere", SIZE)
    path = store(tmp_path / "a.png", noise())
    with pytest.raises(ValueError, match=r"a\.png is not a folder"):
        read(path, SIZE)
    for size in [(0, 4), (4,), (4, 4, 3)]:
        with pytest.raises(ValueError, match=r"size needs \(height, width\) in pixels, both whole .*; got tuple \("):
            read(tmp_path, size)


def test_most_takes_an_even_spread(tmp_path):
    for i in range(20):
        store(tmp_path / f"{i:02d}.png", noise(seed=i))
    taken = read_photos(tmp_path, SIZE, max_photos=4)
    assert [path.stem for path in taken.paths] == ["02", "07", "12", "17"]
    assert np.array_equal(taken.images, [noise(seed=i) for i in (2, 7, 12, 17)])
    assert len(read_photos(tmp_path, SIZE, max_photos=50)) == 20
    with pytest.raises(ValueError, match="max_photos needs a whole number >= 1, or None for all photos; got int 0"):
        read_photos(tmp_path, SIZE, max_photos=0)


def test_others_stand_in_for_broken_photos_when_most_is_given(tmp_path):
    for i in range(6):
        store(tmp_path / f"{i}.png", noise(seed=i))
    (tmp_path / "4.png").write_bytes(b"broken")
    taken = read_photos(tmp_path, SIZE, max_photos=2)
    assert [path.stem for path in taken.paths] == ["0", "1"]
    assert np.array_equal(taken.images, [noise(seed=0), noise(seed=1)])
    assert [path.stem for path, _ in taken.skipped] == ["4"]


def test_hash_is_of_the_images_and_not_of_their_names(tmp_path):
    for i in range(2):
        store(tmp_path / f"x/{i}.png", noise(seed=i))
        store(tmp_path / f"y/other{i}.bmp", noise(seed=i))
        store(tmp_path / f"z/{i}.png", noise(seed=i + 1))
    x, y, z = (read_photos(tmp_path / name, SIZE) for name in "xyz")
    assert x.hash == y.hash != z.hash


def test_labelled_photos_have_their_first_subfolder_as_class(tmp_path):
    for i, name in enumerate(["cat/deep/2.png", "cat/z.png", "dog 2/1.png"]):
        store(tmp_path / name, noise(seed=i))
    store(tmp_path / ".trash/1.png", noise())
    photos = read_labelled(tmp_path, SIZE)
    assert photos.label.tolist() == ["cat", "cat", "dog 2"]
    assert np.array_equal(photos.images, [noise(seed=i) for i in range(3)])


def test_labelled_photos_need_classes_with_photos(tmp_path):
    with pytest.raises(ValueError, match="has no subfolders; labelled photos need one for each class"):
        read_labelled(tmp_path, SIZE)
    store(tmp_path / "cat/1.png", noise())
    (tmp_path / "dog").mkdir()
    (tmp_path / "dog/2.png").write_bytes(b"broken")
    (tmp_path / "emu").mkdir()
    with pytest.raises(ValueError, match=r"has classes without a readable photo: dog, emu; add photos or remove those "
                                         r"subfolders \(1 skipped: .*2\.png \(is damaged"):
        read_labelled(tmp_path, SIZE)
    store(tmp_path / "3.png", noise())
    with pytest.raises(ValueError, match=r"holds 1 photo outside any class \(3\.png\); put each photo into"):
        read_labelled(tmp_path, SIZE)


def some(numbers):
    images = np.array([np.full((2, 2, 3), number, np.uint8) for number in numbers]).reshape(-1, 2, 2, 3)
    return Photos(images, tuple(Path(f"{i}.png") for i in range(len(numbers))), (), np.full(len(numbers), ""))


def values(photos):
    return photos.images[:, 0, 0, 0].tolist()


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 60), min_size=12, max_size=40, unique=True).flatmap(
           lambda different: st.lists(st.sampled_from(different), max_size=20).map(lambda more: different + more)),
       st.integers(0, 5), st.randoms())
def test_split_parts_cover_all_share_nothing_and_do_not_depend_on_order(numbers, seed, random):
    shares = {"match": 0.5, "few": 0.25, "test": 0.25}
    parts = split(some(numbers), shares, seed)
    found = {name: values(part) for name, part in parts.items()}
    assert sorted(value for part in found.values() for value in part) == sorted(numbers)
    assert sum(len(set(part)) for part in found.values()) == len(set(numbers))
    for name, share in shares.items():
        assert abs(len(set(found[name])) - share * len(set(numbers))) <= 1
    shuffled = random.sample(numbers, len(numbers))
    again = split(some(shuffled), shares, seed)
    assert {name: sorted(values(part)) for name, part in again.items()} == {k: sorted(v) for k, v in found.items()}


def test_split_keeps_rows_together_and_follows_the_seed():
    photos = some(range(40))
    one, other = (split(photos, {"a": 3, "b": 1}, seed)["b"] for seed in (0, 1))
    assert [int(path.stem) for path in one.paths] == values(one) and len(one) == 10
    assert values(one) != values(other)


def test_split_says_when_it_cannot():
    with pytest.raises(ValueError, match=r"1 different photo is too few for the parts .*: a is empty"):
        split(some([5, 5, 5, 5]), {"a": 0.4, "b": 0.6}, 0)
    for parts in [{}, {"a": 1, "b": 0}, {"a": float("nan")}, {"a": -1, "b": 2}]:
        with pytest.raises(ValueError, match="split needs a share > 0 for each part, got"):
            split(some([1, 2]), parts, 0)


def test_images_and_photos_are_accepted_as_photos(tmp_path):
    images = np.stack([noise(seed=i) for i in range(6)])
    found = as_photos(images, SIZE)
    assert isinstance(found, Photos) and np.array_equal(found.images, images)
    assert found.paths == found.skipped == () and found.label.tolist() == [""] * 6 and found.boxes is None
    assert as_photos(found, SIZE) is found
    few = as_photos(found, SIZE, max_photos=4)
    assert np.array_equal(few.images, images[[0, 1, 3, 5]]) and few.paths == ()


# --- what lies among photos ----------------------------------------------------------------------------------------

@either_reader
@pytest.mark.parametrize("place", ["@eaDir/a.png/SYNOPHOTO_THUMB_S.jpg", ".thumbnails/a.png", ".@__thumb/a.png",
                                   "#recycle/a.png", "__MACOSX/a.png", "._a.png", "$RECYCLE.BIN/a.png",
                                   "@Recycle/a.png", ".Trashes/a.png", "System Volume Information/a.png"])
def test_thumbnails_and_deleted_files_are_no_photos(tmp_path, reader, place):
    """Below a class and, but for files, as a class."""
    prefix, read = READERS[reader]
    store(tmp_path / f"{prefix}a.png", noise())
    store(tmp_path / f"{prefix}{place}", noise(seed=1))
    if "/" in place:
        store(tmp_path / place, noise(seed=1))
    photos = read(tmp_path)
    assert photos.paths == (tmp_path / f"{prefix}a.png",) and photos.skipped == ()
    assert set(photos.label) <= {"cat", ""}


@either_reader
@pytest.mark.parametrize("name, text", [
    ("zq7.HEIC", "images ending in .HEIC are not read; convert them to PNG, or to JPEG"),
    ("zq7.avif", "images ending in .avif are not read"), ("zq7.svg", "images ending in .svg are not read"),
    ("zq7.psd", "images ending in .psd are not read"), ("zq7.pdf", "images ending in .pdf are not read"),
    ("zq7.gif", "images ending in .gif are not read"), ("zq7.ppm", "images ending in .ppm are not read"),
    ("zq7.CR2", "raw images of cameras (.CR2) are not read; convert them to PNG, or to JPEG"),
    ("zq7.rw2", "raw images of cameras (.rw2) are not read"),
    ("zq7.zip", "archives (.zip) are not read; unpack it here if it holds photos"),
    ("zq7.tar.gz", "archives (.gz) are not read; unpack it here")])
def test_images_that_are_not_read_are_named(tmp_path, reader, name, text):
    prefix, read = READERS[reader]
    store(tmp_path / f"{prefix}a.png", noise())
    (tmp_path / f"{prefix}{name}").write_bytes(b"any")
    (path, reason), = read(tmp_path).skipped
    assert path == tmp_path / f"{prefix}{name}" and reason.startswith(text)


@pytest.mark.parametrize("ending", ["jpe", "JFIF", "mpo"])
def test_other_endings_of_jpeg_are_read(tmp_path, ending):
    path, pages = tmp_path / f"zq7.{ending}", {}
    if ending == "mpo":
        pages = {"save_all": True, "append_images": [Image.new("RGB", (64, 48))]}
    Image.fromarray(noise(48, 64)).save(path, "MPO" if ending == "mpo" else "JPEG", **pages)
    assert np.array_equal(read_one(path, (48, 64)), np.asarray(Image.open(path)))
