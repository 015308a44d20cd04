"""Pascal VOC held against a reader written from the format's description, and files that are not sound."""

from xml.dom import minidom

import numpy as np
import pytest
from checks import altered_frames, contents
from painted import SCENES, H, W, frames, half_seen, write
from PIL import Image

from scenefit.data.formats import FORMATS, LabelPolicy, label_boxes, voc_format
from scenefit.data.formats.voc_reader import read_labels


def described(path):
    """Name, flags and box of each object, by the description: whole pixels from 1, the last one included."""
    found = []
    for node in minidom.parse(str(path)).getElementsByTagName("object"):
        text = {child.tagName: child.firstChild.data for child in node.getElementsByTagName("*") if child.firstChild}
        found.append((text["name"], [int(text[flag]) for flag in ("truncated", "difficult", "occluded")],
                      [int(text["xmin"]) - 1, int(text["ymin"]) - 1, int(text["xmax"]), int(text["ymax"])]))
    return found


@pytest.mark.parametrize("box", ["visible", "amodal"])
def test_an_independent_reader_finds_every_box(tmp_path, box):
    out = write(voc_format(LabelPolicy(min_pixels=1, box=box)), tmp_path, half_seen())
    for row, scene in enumerate(SCENES):
        wanted = label_boxes(half_seen(), LabelPolicy(min_pixels=1, box=box)).take([row])
        found = described(out / f"Annotations/{scene:08d}.xml")
        assert [name for name, *_ in found] == wanted.name.tolist()
        assert np.abs(np.array([box for *_, box in found]) - wanted.box).max() <= (0 if box == "visible" else 0.5)


def test_files_and_flags(tmp_path):
    out = write(FORMATS["voc"], tmp_path, half_seen(classes={"star": np.full(6, "a <&> ü")}),
                classes=["a <&> ü", "coin"])
    assert sorted(contents(out)) == sorted([
        *(f"JPEGImages/{scene:08d}.png" for scene in SCENES), *(f"Annotations/{scene:08d}.xml" for scene in SCENES),
        *(f"ImageSets/Main/{name}.txt" for name in ("train", "val", "trainval")), "objects.csv", "provenance.json"])
    assert (out / "ImageSets/Main/train.txt").read_text() == "00000003\n00000900\n"
    assert (out / "ImageSets/Main/val.txt").read_text() == "00000004\n"
    assert (out / "ImageSets/Main/trainval.txt").read_text() == "00000003\n00000004\n00000900\n"
    assert described(out / "Annotations/00000003.xml") == [("a <&> ü", [1, 0, 1], [3, 2, 11, 9]),
                                                           ("coin", [0, 0, 0], [20, 12, 30, 20])]
    text = (out / "Annotations/00000003.xml").read_text()
    assert text.startswith("<annotation>\n\t<folder>JPEGImages</folder>\n\t<filename>00000003.png</filename>\n")
    assert "<size>\n\t\t<width>30</width>\n\t\t<height>20</height>\n\t\t<depth>3</depth>" in text
    hidden = frames(amodal={"star": np.tile([0.0, 0, 30, 20], (6, 1))}, area={"star": np.full(6, 560.0)})
    write(FORMATS["voc"], tmp_path / "hidden", hidden)
    assert described(tmp_path / "hidden/Annotations/00000003.xml")[0][1] == [0, 1, 1]


def test_images_as_jpeg(tmp_path):
    out = write(voc_format(ending="jpg"), tmp_path)
    image = np.asarray(Image.open(out / "JPEGImages/00000003.jpg")).astype(int)
    assert image.shape == (H, W, 3) and np.abs(image - frames().images[0]).mean() < 8
    assert "<filename>00000003.jpg</filename>" in (out / "Annotations/00000003.xml").read_text()
    with pytest.raises(ValueError, match="images are written as 'png' or 'jpg', got 'gif'"):
        voc_format(ending="gif")


def test_a_class_that_xml_cannot_hold_is_refused_before_anything_is_written(tmp_path):
    for name in ("a\x07b", " a"):
        with pytest.raises(ValueError, match=r"scene 3 has the class .* which cannot be written in XML"):
            write(FORMATS["voc"], tmp_path, altered_frames(
                frames(), classes={**frames().classes, "star": np.full(6, name)}))
    assert contents(tmp_path) == {}


BOX = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>{}</ymax></bndbox>"


@pytest.mark.parametrize("text, reason", [
    ("<annotation>", r"1.xml is no XML: .*line 1"), ("", r"1.xml is no XML: .*; export it again, or remove"),
    ("<html></html>", r"1.xml is no annotation of Pascal VOC: its root is <html>, not <annotation>"),
    ("<annotation><object><name>a</name></object></annotation>", r"1.xml, object 1: it has no bndbox; add one with"),
    (f"<annotation><object>{BOX.format(9)}</object></annotation>", r"1.xml, object 1: it has no name; name its class"),
    (f"<annotation><object><name>a</name>{BOX.format('nine')}</object></annotation>",
     r"1.xml, object 1: ymax needs a number, got 'nine'"),
    ("<annotation><object><name>a</name><bndbox></bndbox></object></annotation>", "object 1: xmin needs a number"),
    *((f"<annotation><object><name>a</name><difficult>{flag}</difficult>{BOX.format(9)}</object></annotation>",
       f"1.xml, object 1: difficult needs 0 or 1, got '{flag}'") for flag in ("2", "maybe", "nan")),
    ("<annotation><size><width>a</width></size></annotation>", r"1.xml, size: width needs a number, got 'a'"),
    *((f"<annotation><size><width>{side}</width><height>9</height></size></annotation>",
       rf"1.xml, size: width needs a whole number of pixels, got {side}; write that of the photo")
      for side in ("inf", "nan", "9.5", "-8.0")),
    *((f"<?xml version='1.0' encoding='{name}'?><annotation></annotation>",
       r"1.xml is in an encoding that cannot be read \(.*encoding.*\); save it as UTF-8") for name in ("GBK", "mine"))])
def test_files_that_cannot_be_understood(tmp_path, text, reason):
    (tmp_path / "1.xml").write_text(text)
    with pytest.raises(ValueError, match=reason):
        read_labels(tmp_path / "1.xml")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_bomb_of_entities_is_refused(tmp_path, encoding):
    entities = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 30))
    text = f'<!DOCTYPE a [<!ENTITY e0 "ha">{entities}]><annotation><object><name>&e29;</name></object></annotation>'
    (tmp_path / "1.xml").write_bytes(f'<?xml version="1.0" encoding="{encoding}"?>{text}'.encode(encoding))
    with pytest.raises(ValueError, match=r"1.xml, line 1: it has a DOCTYPE, which no annotation needs"):
        read_labels(tmp_path / "1.xml")
    (tmp_path / "1.xml").write_text("<!DOCTYPE annotation SYSTEM 'file:///etc/passwd'><annotation/>")
    with pytest.raises(ValueError, match="it has a DOCTYPE"):
        read_labels(tmp_path / "1.xml")


def test_boxes_count_from_one_and_a_size_of_nothing_is_none(tmp_path):
    (tmp_path / "1.xml").write_text("<annotation><size><width>0</width><height>0</height></size>"
                                    f"<object><name> a </name>{BOX.format(7.5)}</object></annotation>")
    found = read_labels(tmp_path / "1.xml")
    assert (found.boxes[0].box, found.boxes[0].name, found.size) == ((0, 0, 9, 7.5), "a", None)


@pytest.mark.parametrize(("flag", "difficult"), [
    ("1", True), (" 1\n", True), ("1.0", True), ("true", True), ("TRUE", True), ("0", False), ("0.0", False),
    ("False", False), ("", False), ("Unspecified", False)])
def test_difficult_objects_are_regions(tmp_path, flag, difficult):
    marked = f"<object><name>a</name><truncated>1</truncated><occluded>1</occluded><difficult>{flag}</difficult>"
    (tmp_path / "zq7.xml").write_text(f"<annotation>{marked}{BOX.format(9)}</object></annotation>")
    found = read_labels(tmp_path / "zq7.xml")
    assert (len(found.boxes), found.regions) == ((0, 1) if difficult else (1, 0))


def test_numbers_and_sizes_as_other_programs_write_them(tmp_path):
    (tmp_path / "zq7.xml").write_text(
        "<annotation><size><width> 64.0 </width><height></height></size><object><name>a</name><bndbox>"
        "<ymax> 9.0\n</ymax><xmin>1e0</xmin><xmax>7.25</xmax><ymin>2</ymin></bndbox></object></annotation>")
    found = read_labels(tmp_path / "zq7.xml")
    assert (found.boxes[0].box, found.size) == ((0, 1, 7.25, 9), None)
