"""The report: what it says, that it shows it, and that nothing in it can be mistaken for markup."""

import base64
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import matplotlib
import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image, ImageColor

from scenefit import report
from scenefit.report import (
    AttributeContent,
    Baseline,
    BaselineErrors,
    Counts,
    ErrorAnalysis,
    Interval,
    LabelConvention,
    Mistakes,
    Prediction,
    Quartiles,
    Reconstructions,
    ReportContent,
    SizeGroup,
    Table,
    TracePoint,
    conventions,
    page,
    picture,
)
from scenefit.report import detections as pictures
from scenefit.report.charts import errors as charted
from scenefit.report.charts import histograms, interactive, labelled, static, style
from scenefit.report.content import BaselineDetections, Detections, Outliers, brightened, brightening

NAN = float("nan")
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)> & $\\frac \"'"


def images(k=8, h=32, w=32, seed=0):
    return np.random.default_rng(seed).integers(0, 255, (k, h, w, 3)).astype(np.uint8)


def full_content():
    rng = np.random.default_rng(1)
    return ReportContent(
        "Digits", "turned", "Learned beats the grammar.", "make demo", {"seed": "0", "renders": "5,792"},
        images(30), images(30, seed=1), images(30, seed=2),
        [TracePoint(100 * i, 0.4 / (i + 1), "search" if i < 5 else "descent") for i in range(20)],
        Interval(0.01, 0.005, 0.02), 0.41,
        [AttributeContent("digit", "yaw", rng.normal(0, 10, 200), rng.normal(88, 3, 200), np.full(200, 90.0),
                        circular=True),
         AttributeContent("digit", "r", rng.uniform(3, 8, 200), np.full(200, 3.0), low=3, high=8, unit="px",
                        at_bound="low")],
        Table("accuracy", [Baseline("grammar", 0.15, 0.12, 0.18, (0.14, 0.16)), Baseline("learned", 0.94, NAN, NAN,
                                                                                         (0.94,)),
                           Baseline("oracle", 0.96, 0.95, 0.97, (0.95, 0.97))], "95 % t interval",
              Interval(0.975, 0.9, 1.0)),
        {"learned": Mistakes(images(2), ["7 read as 1", "3 read as 8"])}, ["a.jpg could not be read"])


class Reader(HTMLParser):
    """Tags with their attributes, and the text outside scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.inside = [], "", ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.inside = tag

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        if self.inside not in ("script", "style"):
            self.text += data


def chart_data(text):
    held = re.search(r'<script type="application/json" id="charts">(.*?)</script>', text, re.S).group(1)
    return json.loads(held, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def has_colour(picture, colour, at_least=30):
    return (np.asarray(picture) == ImageColor.getrgb(colour)).all(axis=2).sum() >= at_least


class TestContent:
    def test_names_the_shape_it_needs(self):
        with pytest.raises(ValueError, match=r"photos need to be uint8 \[k, H, W, 3\], got float64 \[2, 4, 4, 3\]"):
            ReportContent("x", photos=np.zeros((2, 4, 4, 3)))
        with pytest.raises(ValueError, match=r"learned need to be uint8 \[k, H, W, 3\], got uint8 \[2, 4, 4\]"):
            ReportContent("x", learned=np.zeros((2, 4, 4), np.uint8))

    def test_each_mistake_has_a_caption(self):
        with pytest.raises(ValueError, match="one caption each, got 1 captions for 2 images"):
            Mistakes(images(2), ["7 read as 1"])

    def test_an_attribute_at_its_bound_names_it_and_the_fix(self):
        content = full_content()
        assert content.warnings == ("a.jpg could not be read", "digit.r is at its lower bound (3 px): the photos may "
                                    "lie beyond it, so widen the bound if you can.")
        upper = AttributeContent("a", "b", [1], [2], high=2.0, at_bound="high")
        assert upper.warning.startswith("a.b is at its upper bound (2):")
        with pytest.raises(ValueError, match=r"a.b: at_bound must be '', 'low' or 'high', got 'left'"):
            AttributeContent("a", "b", [1], [2], at_bound="left")

    def test_values_that_are_not_finite_are_left_out(self):
        assert AttributeContent("a", "b", [1.0, NAN], [np.inf]).values["before"].tolist() == [1.0]


class TestBars:
    def test_one_repeated_value_is_a_full_bar_at_that_value(self):
        found = histograms.bars(AttributeContent("a", "b", np.linspace(0, 10, 500), np.full(500, 7.25), low=0, high=10))
        (place,) = np.flatnonzero(found.scaled("after"))
        assert found.edges[place] <= 7.25 <= found.edges[place + 1] and found.scaled("after")[place] == 1
        assert found.scaled("before").max() == 1

    def test_one_value_everywhere_without_bounds_has_an_axis(self):
        found = histograms.bars(AttributeContent("a", "b", np.full(9, 5.0), np.full(9, 5.0)))
        assert found.edges[0] < 5 < found.edges[-1] and found.heights["after"].max() == 1

    def test_half_a_turn_stands_at_both_ends(self):
        found = histograms.bars(AttributeContent("a", "b", [180.0, -180.0, 540.0], [90.0], circular=True))
        assert np.flatnonzero(found.heights["before"]).tolist() == [0, len(found.edges) - 2]
        (place,) = np.flatnonzero(found.heights["after"])
        assert (found.edges[place] + found.edges[place + 1]) / 2 == pytest.approx(90)

    def test_whole_numbers_have_a_bar_each(self):
        found = histograms.bars(AttributeContent("a", "n", np.array([1, 1, 3]), np.array([4]), low=0, high=5))
        assert found.ticks == ("0", "1", "2", "3", "4", "5")
        assert found.heights["before"].tolist() == pytest.approx([0, 2 / 3, 0, 1 / 3, 0, 0])

    def test_categories_share_their_bins_and_the_rare_are_one(self):
        found = histograms.bars(AttributeContent("a", "n", np.array(["b", "a", "b"]), np.array(["c"])))
        assert found.ticks == ("a", "b", "c") and found.heights["before"].tolist() == pytest.approx([1 / 3, 2 / 3, 0])
        many = histograms.bars(AttributeContent("a", "n", np.array([f"c{i}" for i in range(99)]), np.array(["c1"])))
        assert many.ticks[-1] == "other" and many.heights["before"].sum() == pytest.approx(1)

    def test_wide_bounds_do_not_hide_narrow_values(self):
        found = histograms.bars(AttributeContent("a", "b", np.linspace(4, 5, 50), np.linspace(4, 5, 50), low=-1000,
                                            high=1000))
        assert found.edges[0] > 3 and found.edges[-1] < 6

    def test_names_of_categories_are_cut_before_any_is_left_out(self):
        found = histograms.Bars(np.arange(5) - 0.5, {}, ("a", "b", "a very long name", "d"))
        assert histograms.bin_labels(found, 40) == ([0, 1, 2, 3], ["a", "b", "a very l…", "d"])
        crowded = histograms.Bars(np.arange(25) - 0.5, {}, tuple(f"name{i}" for i in range(24)))
        assert len(histograms.bin_labels(crowded, 40)[1]) <= 6

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.lists(st.floats(-1e6, 1e6), min_size=1))
    def test_no_value_is_lost(self, before, after):
        found = histograms.bars(AttributeContent("a", "b", before, after, low=-5.0, high=5.0))
        assert [found.heights[role].sum() for role in ("before", "after")] == pytest.approx([1, 1])


class TestWords:
    def test_summary(self):
        plain, turning = AttributeContent("a", "b", [0], [0], unit="px"), AttributeContent("a", "b", [0], [0],
                                                                                      circular=True)
        assert style.summary(np.array([15.0, 17.0]), plain) == "16.0 ± 1.0 px"
        assert style.summary(np.full(5, -3.0), plain) == "always \u22123 px"
        assert style.summary(np.array([170.0, -170.0]), turning) == "180 ± 10°"
        assert style.summary(np.linspace(-180, 180, 361), turning) == "all directions"
        assert style.summary(np.array(["bus", "car", "bus", "bus"]), plain) == "mostly bus (75 %)"
        assert style.summary(np.zeros(0), plain) == "no node"

    def test_table(self):
        table = full_content().table
        assert style.metric_title(table) == "Accuracy (%) on labelled photos, by training data"
        assert style.metric_title(replace(table, metric="mAP50")) == "mAP50 (%) on labelled photos, by training data"
        assert style.interval(table, table.rows[0]) == "12.0 to 18.0" and style.interval(table, table.rows[1]) == ""
        assert style.gap_text(Interval(0.975, 0.9, 1.0)).endswith("closed: 97.5 % (90 to 100 %)")
        assert "no better than the grammar" in style.gap_text(Interval(NAN, NAN, NAN))

    def test_one_colour_for_a_role(self):
        assert style.paint("learned") == style.paint("after") == style.paint("Learned, then 10 labelled")
        assert style.paint("grammar") == style.paint("before") != style.paint("shrunk")
        assert style.paint("something else") == style.paint("") == style.OTHER


class TestContactSheet:
    def test_small_images_keep_their_pixels(self):
        pictures = images(5, 8, 8)
        shown = np.asarray(picture.contact_sheet(pictures, 3, scale=4))
        assert shown.shape == (2 * 35 + 3, 3 * 35 + 3, 3)
        assert np.array_equal(shown[3:35:4, 3:35:4], pictures[0]) and np.array_equal(shown[6:35:4, 6:35:4], pictures[0])
        assert np.array_equal(shown[38:70, 38:70], pictures[4].repeat(4, 0).repeat(4, 1))
        assert (shown[38:, 73:] == 255).all()  # where the sixth would be

    def test_sizes_chosen_without_a_scale(self):
        assert picture.contact_sheet(images(1, 8, 8), 1).size == (102, 102)
        assert picture.contact_sheet(images(2, 480, 640), 2).size == (2 * 323 + 3, 246)
        assert picture.contact_sheet(images(2, 8, 8)[..., 0], 9).size == (2 * 99 + 3, 102)

    def test_large_images_are_averaged_not_thinned_out(self):
        stripes = np.zeros((1, 600, 600, 3), np.uint8)
        stripes[:, ::2] = 200
        shown = np.asarray(picture.contact_sheet(stripes, 1, scale=0.25))[20:-20, 20:-20]
        assert shown.min() > 80 and shown.max() < 120

    def test_captions_stand_below(self):
        bare, told = (picture.contact_sheet(images(2), 2, captions=c) for c in (None, ["7 read as 1", "x" * 500]))
        assert told.height == bare.height + 22 and told.width < 300
        assert (np.asarray(told)[-20:].min(axis=2) < 100).any()

    @pytest.mark.parametrize(("arguments", "message"), [
        ((images(0), 2), r"uint8 \[k, H, W, 3\] with k >= 1, got uint8 \[0, 32, 32, 3\]"),
        ((np.zeros((2, 4, 4)), 2), r"got float64 \[2, 4, 4\]"),
        ((images(2), 0), "columns >= 1, got 0"),
        ((images(2), 2, 1.5), "must be a whole number or lie between 0 and 1, got 1.5"),
        ((images(2), 2, None, ["x"]), "one caption per image, got 1 for 2"),
    ])
    def test_errors(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            picture.contact_sheet(*arguments)


def awkward_contents():
    content = full_content()
    rows = [Baseline("w" * 90, NAN, NAN, NAN), Baseline("$\\frac$ " + HOSTILE, 1.0, 1.0, 1.0, (1.0,)), Baseline("100",
                                                                                                                0.0,
                                                                                                                NAN,
                                                                                                                NAN)]
    return {
        "full": content,
        "title only": ReportContent("Coins"),
        "no table": replace(content, table=None, errors={}, attributes=content.attributes[:1]),
        "no trace": replace(content, trace=(), floor=None, prior_distance=None),
        "one point": replace(content, trace=[(0, NAN, ""), (0, 0.3, "x")], floor=Interval(0.1, NAN, NAN), learned=None),
        "empty values": replace(content, attributes=[AttributeContent("a", "b", [], []),
                                                   AttributeContent("a", "b", [], [], circular=True)]),
        "many": replace(content, attributes=content.attributes * 10, notes=["w" * 999] * 9, photos=images(2, 480, 640),
                        prior=images(1, 8, 8), learned=images(3, 40, 300), title="w" * 900, verdict="many words " * 99),
        "hostile": replace(content, title=HOSTILE, subtitle=HOSTILE, verdict=HOSTILE, command=HOSTILE,
                           facts={HOSTILE: HOSTILE}, table=replace(content.table, rows=rows, metric=HOSTILE),
                           trace=[TracePoint(1, 1.0, HOSTILE), TracePoint(2000, 1.0, HOSTILE)], notes=[HOSTILE],
                           attributes=[AttributeContent(HOSTILE, HOSTILE, np.array([HOSTILE]), np.array(["a"]),
                                                      unit=HOSTILE)],
                           errors={HOSTILE: Mistakes(images(1), [HOSTILE])}),
    }


class TestFirstView:
    @pytest.mark.parametrize("name", awkward_contents())
    def test_nothing_reaches_the_margin(self, name):
        view = picture.first_view(awkward_contents()[name])
        assert view.width == 1400
        pixels = np.asarray(view)
        assert all((edge == 255).all() for edge in (pixels[:, :40], pixels[:, -40:], pixels[:40], pixels[-40:]))

    def test_chart_text_is_not_clipped(self):
        table = full_content().table
        rows = [Baseline("w" * 90, 1.0, 1.0, 1.0), Baseline("grammar", 0.0, 0.0, 0.0)]
        for drawn in (static.baselines(replace(table, rows=rows), 632, 300), static.distance(full_content(), 632, 300),
                      *(static.histogram(a, 305, 150) for a in full_content().attributes)):
            pixels = np.asarray(drawn)
            assert all((edge == 255).all() for edge in (pixels[:, :1], pixels[:, -1:], pixels[:1], pixels[-1:]))

    def test_long_words_are_broken_and_long_texts_cut(self):
        type_ = static.font(14)
        lines = picture._broken("see /data/" + "x" * 300 + " for more", type_, 500)
        assert "".join(lines).replace(" ", "") == "see/data/" + "x" * 300 + "formore"
        assert all(type_.getlength(line) <= 500 for line in lines)
        short = static.fitted("w" * 300, type_, 200)
        assert short.endswith("w…") and type_.getlength(short) <= 200

    def test_parts_that_are_there_add_to_it(self):
        content = full_content()
        whole = picture.first_view(content)
        assert has_colour(whole, style.paint("learned").fill) and has_colour(whole, style.paint("grammar").fill)
        for gone in ({"photos": None, "prior": None, "learned": None}, {"table": None, "trace": ()},
                     {"attributes": ()}, {"verdict": ""}):
            assert picture.first_view(replace(content, **gone)).height < whole.height

    def test_images_are_shown_pixel_by_pixel(self):
        content = full_content()
        pixels = np.asarray(picture.first_view(ReportContent("x", photos=content.photos)))
        first = content.photos[0].repeat(2, 0).repeat(2, 1)
        rows = [y for y in range(len(pixels) - 64) if np.array_equal(pixels[y:y + 64, 51:115], first)]
        assert len(rows) == 1

    def test_global_settings_are_left_alone(self):
        with matplotlib.rc_context({"font.size": 31, "axes.facecolor": "red"}):
            before = dict(matplotlib.rcParams)
            view = picture.first_view(full_content())
            assert dict(matplotlib.rcParams) == before
        assert np.array_equal(np.asarray(view), np.asarray(picture.first_view(full_content())))


class TestPredictions:
    """The parts of a report that show what was predicted."""

    def content(self):
        rng = np.random.default_rng(1)
        told = AttributeContent("disc", "size", rng.normal(5, 2, 99), rng.normal(4, 1, 99), low=0, high=9,
                                at_bound="low", natural=True, prediction=Prediction(True, 0.83, 0.49, 0.92, 0.31))
        untold = AttributeContent("disc", "edge", rng.normal(1, 0.1, 99), rng.normal(1, 0.1, 99),
                                  prediction=Prediction(False, 0.04))
        return ReportContent("Discs", attributes=[told, untold], untold=["Kept their prior: disc.edge."],
                             brightness=3.5, photos=images(), reconstructions=Reconstructions(
                                 images(7), images(7, seed=3), "Below each photo"),
                             counts=[Counts("disc", (40, 20), (12.3, 4), (11.8, 3), 12.5, 13)])

    def test_the_page_names_them(self):
        found = Reader(page.render(self.content()))
        for text in ("Kept their prior: disc.edge.", "shown 3.5 times as bright", "Below each photo", "kept its prior",
                     "0.83", "49 %", "92 %", "0.31", "lower (0), natural", "12.3 ± 4.0", "11.8 ± 3.0", "13.0"):
            assert text in found.text
        assert [tag for tag, more in found.tags if "reconstruction" in more.get("alt", "")] == ["img"] * 7
        assert "Warnings" not in found.text and "widen" not in found.text, "a natural bound cannot be widened"

    def test_the_picture_shows_a_reconstruction_below_its_photo(self):
        content = self.content()
        pixels, bare = np.asarray(picture.first_view(content)), replace(content, reconstructions=None)
        pairs = content.reconstructions
        scale = next(s for s in range(8, 0, -1) if first_place(pixels, pairs.photos[0], s) is not None)
        y, x = first_place(pixels, pairs.photos[0], scale)
        assert first_place(pixels, pairs.renders[0], scale) == (y + 32 * scale + picture.GAP, x)
        assert first_place(np.asarray(picture.first_view(bare)), pairs.renders[0], scale) is None
        without = replace(content, attributes=[replace(a, prediction=None) for a in content.attributes])
        assert picture.first_view(without).height < picture.first_view(content).height - 100

    def test_dark_photos_are_brightened_and_others_stay(self):
        dark, bright = (images() * 0.2).astype(np.uint8), images()
        dark[0, :8] = 255  # one photo with a lamp
        factor = brightening(dark)
        assert 3 < factor < 6 and brightened(dark, factor).max() == 255 and brightening(bright) == 1.0
        assert brightened(bright, 1.0) is bright
        with pytest.raises(ValueError, match="reconstructions need the shape of their photos"):
            Reconstructions(images(2), images(3))


def first_place(pixels, image, scale):
    """Where an image, enlarged, stands in a picture."""
    shown = image.repeat(scale, 0).repeat(scale, 1)
    height, width = shown.shape[:2]
    corner = (pixels[:, :, :] == shown[0, 0]).all(2)
    for y, x in zip(*np.nonzero(corner), strict=True):
        if np.array_equal(pixels[y:y + height, x:x + width], shown):
            return int(y), int(x)
    return None


class TestPage:
    def test_sections_in_order_of_importance(self):
        text = Reader(page.render(full_content())).text
        places = [text.index(part) for part in (
            "Learned beats", "Photos", "Grammar, before", "Learned, after", "Accuracy (%)", "Learned attributes",
            "Distance to the photos", "Errors", "7 read as 1", "Warnings", "so widen the bound", "make demo",
            "5,792")]
        assert places == sorted(places)
        for number in ("15.0", "12.0 to 18.0", "97.5 %", "always 90°", "at its lower bound", "0.41", "0.01"):
            assert number in text  # readable without the charts

    def test_absent_parts_leave_no_heading(self):
        bare = page.render(ReportContent("Coins"))
        assert len(bare) < 20_000 and "<h2" not in bare and "<script" not in bare and "<img" not in bare
        assert 'id="chart-table"' not in page.render(replace(full_content(), table=None))

    def test_strings_are_text(self):
        content = awkward_contents()["hostile"]
        text = page.render(content)
        plain = Reader(page.render(full_content()))
        found = Reader(text)
        assert [t for t, _ in found.tags].count("script") == [t for t, _ in plain.tags].count("script") == 3
        assert not [a for _, a in found.tags if any(name.startswith("on") for name in a)]
        assert found.text.count(HOSTILE) >= 9
        shown = json.dumps(chart_data(text))
        assert "<script" not in shown and "&lt;script" in shown  # Plotly reads tags in labels

    def test_nothing_is_loaded_from_elsewhere(self):
        for tag, attributes in Reader(page.render(full_content())).tags:
            for name in ("src", "href"):
                assert attributes.get(name, "#").startswith(("data:image/png;base64,", "#")), (tag, attributes)

    def test_images_arrive_unchanged_and_large_ones_smaller(self):
        content = full_content()
        sources = [a["src"] for t, a in Reader(page.render(content)).tags if t == "img"]
        assert len(sources) == 3 * 24 + 2
        first = Image.open(io.BytesIO(base64.b64decode(sources[0].split(",")[1])))
        assert np.array_equal(np.asarray(first), content.photos[0])
        (large,) = [a["src"] for t, a in Reader(page.render(ReportContent("x", photos=images(1, 480, 640)))).tags
                    if t == "img"]
        assert Image.open(io.BytesIO(base64.b64decode(large.split(",")[1]))).size == (320, 240)

    @pytest.mark.parametrize("name", awkward_contents())
    def test_charts_are_valid_and_have_a_place(self, name):
        text = page.render(awkward_contents()[name])
        if name == "title only":
            return
        places = {a.get("id") for _, a in Reader(text).tags}
        for place, chart in chart_data(text).items():
            go.Figure(chart)  # ValueError on what Plotly does not know
            assert place in places

    def test_charts_hold_the_numbers(self):
        drawn = chart_data(page.render(full_content()))
        curve = drawn["chart-distance"]["data"][0]
        assert curve["x"][:2] == [0, 100] and curve["y"][:2] == [0.4, 0.2]
        assert [a["text"] for a in drawn["chart-distance"]["layout"]["annotations"]] == ["search", "descent"]
        mean = drawn["chart-table"]["data"][1]
        assert mean["x"] == [15.0] and mean["error_x"]["array"] == pytest.approx([3.0])
        assert mean["marker"]["color"] == style.paint("grammar").fill
        assert "error_x" not in drawn["chart-table"]["data"][3]


class TestWrite:
    def test_same_story_same_bytes(self, tmp_path):
        first, second = (report.write(full_content(), tmp_path / name) for name in "ab")
        assert [p.name for p in first] == ["report.html", "report.png"]
        for one, other in zip(first, second, strict=True):
            assert one.read_bytes() == other.read_bytes()
        assert Image.open(first[1]).width == 1400

    def test_texts_that_are_not_utf8_are_escaped(self, tmp_path, monkeypatch):
        monkeypatch.setattr(picture, "first_view", lambda _: Image.new("L", (1, 1)))
        path, _ = report.write(replace(full_content(), subtitle="zq7\udce9"), tmp_path)
        assert "zq7\\xe9" in path.read_text("utf-8")

    @pytest.mark.parametrize("part", ["page.render", "picture.first_view"])
    def test_a_failure_leaves_the_old_report(self, tmp_path, monkeypatch, part):
        for name in ("report.html", "report.png"):
            (tmp_path / name).write_text("old")

        def fail(content):
            raise RuntimeError("no")

        module, name = part.split(".")
        monkeypatch.setattr(getattr(report, module), name, fail)
        with pytest.raises(RuntimeError):
            report.write(full_content(), tmp_path)
        assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"report.html": "old", "report.png": "old"}


def test_a_grammar_far_above_the_curve_is_told_in_words_and_not_drawn_to_scale():
    near, far = full_content(), replace(full_content(), prior_distance=9.0)
    assert not style.is_off_chart(near) and style.is_off_chart(far)
    assert not style.is_off_chart(replace(far, trace=())) and not style.is_off_chart(replace(far, prior_distance=NAN))
    drawn = interactive.distance(far)
    assert "grammar" not in [trace["name"] for trace in drawn["data"]]
    assert "grammar 9" in drawn["layout"]["annotations"][-1]["text"]
    assert "grammar" in [trace["name"] for trace in interactive.distance(near)["data"]]
    assert np.asarray(static.distance(far, 600, 300)).shape == (300, 600, 3)


def test_the_chart_shows_the_noise_floor_where_the_grammar_is_off_the_chart(monkeypatch):
    limits = []

    def figure(draw, *_):
        axes = Figure().add_subplot()
        draw(axes)
        limits.append(axes.get_ylim())

    monkeypatch.setattr(static, "figure", figure)
    for floor in (Interval(-2.0, -3.0, -1.0), Interval(-2.0, NAN, NAN)):
        static.distance(replace(full_content(), prior_distance=9.0, floor=floor), 600, 300)
    assert limits[0][0] < -3.0 and limits[1][0] < -2.0 and max(high for _, high in limits) < 9.0


def detections(k=2):
    """In each photo a found, a missed and, by the grammar alone, a false object, far from each other."""
    truth = [np.array([[2.0, 2, 12, 12], [30, 2, 44, 16]])] * k
    grammar = BaselineDetections(
        "grammar", [np.array([[2.0, 2, 12, 12], [4, 28, 18, 44]])] * k, [np.array([True, False])] * k,
        [np.array([True, False])] * k, (57, 412, 30), (412, None), 0.3)
    learned = BaselineDetections("learned", [np.array([[2.0, 2, 12, 12]])] * k, [np.array([True])] * k,
                                 [np.array([True, False])] * k, (70, 155, 17), (155, 200), 0.3)
    return Detections(np.full((k, 48, 48, 3), 200, np.uint8), truth, [grammar, learned], 87, (0.8, 0.9), "By IoU.")


def colours(picture):
    return {kind: int((np.asarray(picture) == ImageColor.getrgb(colour)).all(axis=2).sum()) for kind, colour in (
        ("true", pictures.TRUE), ("false", pictures.FALSE), ("missed", pictures.MISSED))}


class TestDetections:
    def test_true_false_and_missed_are_drawn_where_they_are(self):
        told = detections()
        (_, (first, _)), (_, (second, _)) = pictures.rows(told, 1000)
        assert first.width == 493
        scale = first.width / 48
        for kind, (x0, y0, x1, y1) in (("true", (1, 1, 13, 13)), ("missed", (29, 1, 45, 17)),
                                       ("false", (3, 27, 19, 45))):
            part = colours(first.crop(tuple(round(v * scale) for v in (x0, y0, x1, y1))))
            assert part[kind] > 300 and sum(part.values()) == part[kind], "each in its place and its own colour"
        assert colours(second)["false"] == 0 and colours(second)["true"] == colours(first)["true"]
        top = np.asarray(first)[round(2 * scale) + 1, round(31 * scale):round(43 * scale)]
        dashes = (top == ImageColor.getrgb(pictures.MISSED)).all(axis=1)
        assert np.diff(dashes.astype(int)).clip(0).sum() > 4, "a missed one is told by its dashes"

    def test_counts_and_equal_recall_are_said(self):
        told = detections()
        assert pictures.counted(told.baselines[0]) == "57 found, 412 false, 30 missed"
        assert pictures.equal_recall(told) == ["At equal recall 0.8:  412 false  \u2192  155 false",
                                            "At equal recall 0.9:  never reached  \u2192  200 false"]
        text = Reader(page.render(replace(full_content(), detections=told))).text
        for part in ("in 87 labelled photos", "trained on grammar: 57 found, 412 false, 30 missed", "never reached",
                     "By IoU."):
            assert part in text
        assert len([tag for tag, more in Reader(page.render(replace(full_content(), detections=told))).tags
                    if tag == "img" and more["alt"] in ("grammar", "learned")]) == 4

    def test_the_first_view_shows_them(self):
        plain, more = (picture.first_view(replace(full_content(), detections=told)) for told in (None, detections()))
        assert more.width == 1400 and more.height > plain.height + 800
        assert all(count > 500 for count in colours(more).values()) and colours(plain)["missed"] == 0

    def test_lengths_are_checked(self):
        told = detections()
        with pytest.raises(ValueError, match="detections of grammar need one entry for each of 1 photos"):
            replace(told, images=told.images[:1])
        with pytest.raises(ValueError, match="and one false_at for each of 1 recalls"):
            replace(told, recalls=(0.5,))


def baseline_errors(name, at_one, **more):
    given = {"false": (0.0, 0.5, 3.0, 12.0), "missed": (0.9, at_one, at_one / 2, 0.0), "missed_at": (at_one, 0.3, None),
             "by_size": (0.8, at_one), "kinds": {"too small": 0.25, "background": 0.75},
             "sides": {"RBC": Quartiles(0.9, 1.0, 1.2)}, **more}
    return BaselineErrors(name, **given)


def error_analysis(**more):
    return ErrorAnalysis(**{"at": 1.0, "photos": 87, "objects": 1212, "levels": (1, 2, 4), "classes": ("RBC", "WBC"),
                            "sizes": (SizeGroup(None, 12.345, 612), SizeGroup(12.345, None, 600)),
                            "baselines": (baseline_errors("grammar", 0.6), baseline_errors("shrunk", 0.5),
                                          baseline_errors("learned", 0.25)), **more})


def only_errors(**more):
    return ReportContent("Cells", detections=replace(detections(), baselines=[], errors=error_analysis(**more)))


class TestMistakes:
    def test_the_page_tells_what_the_charts_show(self):
        page_text = page.render(only_errors())
        text = Reader(page_text).text
        for part in ("What detectors miss", "3 detectors, one training each, so there are no intervals; 87 labelled "
                     "photos, 1,212 objects", "where each makes 1 false detection per photo. ", "over 12.3 px",
                     "up to 12.3 px, 612 objects", "at 1 false detection per photo", "at 4 false detections per photo",
                     "60.0 %", "never so many", "background", "0.75", "1.00 (0.90 to 1.20)", "\u2013"):
            assert part in text, part
        drawn = {name: chart for name, chart in chart_data(page_text).items() if "errors" in name}
        assert set(drawn) == {f"chart-errors-{name}" for name in ("curve", "sizes", "kinds", "sides")}
        grammar, shrunk, learned = drawn["chart-errors-curve"]["data"]
        assert grammar["x"] == [0.125, 0.5, 3, 8] and grammar["y"] == [90, 60, 30, 30], "a step holds up to the next"
        assert (shrunk["line"]["dash"], learned["line"]["color"]) == ("dash", style.paint("learned").fill)
        assert drawn["chart-errors-sizes"]["data"][2]["y"] == [80, 25]
        assert [trace["x"] for trace in drawn["chart-errors-kinds"]["data"] if any(trace["x"])] == [[0.25] * 3,
                                                                                                    [0.75] * 3]
        assert drawn["chart-errors-sides"]["data"][0]["error_x"]["array"] == pytest.approx([0.2])

    def test_the_picture_shows_them(self):
        view = picture.first_view(only_errors())
        assert view.height > picture.first_view(ReportContent("Cells")).height + 600
        for colour in (charted.KINDS["too small"], charted.KINDS["background"], style.paint("learned").fill):
            assert has_colour(view, colour, 300)

    @pytest.mark.parametrize("case", ["few false ones", "none", "no detector"])
    def test_all_that_can_be_is_drawn(self, case):
        few = baseline_errors("grammar", 0.6, false=(0.0, 0.01), missed=(1.0, 0.6), kinds={}, sides={})
        strange = baseline_errors(HOSTILE, 1.0, sides={HOSTILE: Quartiles(0.1, 4, 9)})
        content = {"few false ones": only_errors(at=0.01, baselines=(few, baseline_errors("learned", 0.2)),
                                                 classes=("RBC", *(f"class {n}" for n in range(19)))),
                   "none": only_errors(at=0.0, classes=(HOSTILE,), baselines=(
                       replace(few, false=(0.0,), missed=(0.0,)), *(strange,) * 4)),
                   "no detector": only_errors(baselines=())}[case]
        text = page.render(content)
        for chart in chart_data(text).values():
            go.Figure(chart)
        pixels = np.asarray(picture.first_view(content))
        assert all((edge == 255).all() for edge in (pixels[:, :40], pixels[:, -40:], pixels[:40], pixels[-40:]))
        assert ("Of the 20 classes, the 8 most frequent are shown." in Reader(text).text) == (case == "few false ones")
        assert not [a for _, a in Reader(text).tags if any(name.startswith("on") for name in a)]

    def test_lengths_are_checked(self):
        with pytest.raises(ValueError, match="mistakes of grammar need a share of missed objects for each of 2 levels"):
            error_analysis(levels=(1, 2))
        with pytest.raises(ValueError, match=r"curve of a needs as many numbers .*, got 4 and 1"):
            error_analysis(baselines=(baseline_errors("a", 0.5, missed=(1.0,)),))


class TestConventions:
    def content(self):
        convention = LabelConvention("Boxes go around it.", np.full((1, 48, 48, 3), 90, np.uint8), [
            np.array([[4.0, 4, 40, 40]])])
        return ReportContent("Cells", detections=replace(detections(), baselines=[], convention=convention))

    def test_renders_and_photos_are_shown_with_their_boxes(self):
        content = self.content()
        (first, render), (second, photo), (third, _) = conventions.section(content.detections, None, 300).pictures
        assert (first, second, third) == ("render, labels by this policy", "labelled photo", "labelled photo")
        yellow = np.argwhere((np.asarray(render) == ImageColor.getrgb(labelled.LABEL)).all(axis=2))
        assert yellow.min(0).tolist() == [25, 25] and yellow.max(0).tolist() == [249, 249], "of 300 / 48 times 4 to 40"
        assert has_colour(photo, labelled.LABEL)
        found = Reader(page.render(content))
        assert "How boxes are drawn" in found.text and "Boxes go around it." in found.text
        assert [a["alt"] for tag, a in found.tags if tag == "img"].count("labelled photo") == 2
        assert has_colour(picture.first_view(content), labelled.LABEL, 1000)
        assert "How boxes are drawn" not in page.render(replace(content, detections=detections()))

    def test_lengths_are_checked(self):
        with pytest.raises(ValueError, match="labelled renders need boxes each, got 0 for 2"):
            LabelConvention("", images(2), [])


class TestOutliers:
    def test_outliers_are_shown_with_their_note(self):
        told = Outliers(images(3), ["3.1 times as far", "2.5 times as far", "2.1 times as far"], "Nothing like it.")
        text = Reader(page.render(replace(full_content(), outliers=told))).text
        assert "Photos unlike every render" in text and "2.5 times as far" in text and "Nothing like it." in text
        assert picture.first_view(replace(full_content(),
                                          outliers=told)).height > picture.first_view(full_content()).height
        with pytest.raises(ValueError, match="outliers need one caption each, got 1 for 3"):
            Outliers(images(3), ["a"])


def test_of_many_attributes_the_picture_shows_those_that_changed_most():
    rng = np.random.default_rng(0)
    same = [AttributeContent("a", f"same{i}", rng.uniform(0, 1, 500), rng.uniform(0, 1, 500)) for i in range(9)]
    moved = AttributeContent("a", "moved", rng.uniform(0, 1, 500), rng.normal(0.5, 0.01, 500))
    words = AttributeContent("a", "words", ["x", "y"] * 50, ["x"] * 100)
    bounded = AttributeContent("a", "bounded", rng.uniform(0, 1, 500), rng.uniform(0, 1, 500), low=0, at_bound="low")
    assert moved.change > 0.85 and words.change == pytest.approx(0.5) and all(a.change < 0.25 for a in same)
    assert AttributeContent("a", "b", [], []).change == 0
    content = ReportContent("x", attributes=[*same, words, moved, bounded])
    assert [a.name for a in content.ranked_attributes][:3] == ["bounded", "moved", "words"]
    chosen = replace(content, shown_first=["a.same3", "a.words"])
    assert [a.name for a in chosen.ranked_attributes][:4] == ["same3", "words", "bounded", "moved"]
    text = page.render(content)
    assert all(a.label in text for a in content.attributes) and "at its lower bound: widen it if you can" in text
