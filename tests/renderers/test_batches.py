"""Rendering in chunks."""

import numpy as np
import pytest
from toys import dot, dots

from scenefit.files.scratch import collect_arrays
from scenefit.renderers import renderer_info
from scenefit.renderers.batches import recut, render_images, render_parts, render_with_boxes, scenes_at_once
from scenefit.scenes.priors import Uniform


def test_chunks_are_as_many_images_as_fit_the_pixels():
    assert scenes_at_once((256, 256)) == 64 and scenes_at_once((720, 1280)) == 4
    assert scenes_at_once((9000, 9000)) == 1 and scenes_at_once((4, 4)) == 4096


@pytest.mark.parametrize("size", [None, (16, 16)])
@pytest.mark.parametrize("pixels", [1, 5 * 256, 2**24])
def test_the_chunks_together_are_the_renders(size, pixels):
    scenes = dot(Uniform(3, 13)).sample(0, 23)
    chunks = [frames.images for frames in render_parts(dots(), scenes, size, pixels)]
    assert np.array_equal(np.concatenate(chunks), dots()(scenes).images)
    assert max(map(len, chunks)) <= max(1, pixels // 256)
    assert np.array_equal(render_images(dots(), scenes)[0], dots()(scenes).images)


def test_it_tells_how_many_more_are_rendered(monkeypatch):
    monkeypatch.setattr("scenefit.renderers.batches.PIXELS", 5 * 256)
    told, scenes = [], dot(Uniform(3, 13)).sample(0, 18)
    images, boxes = render_with_boxes(dots(), scenes, rendered=told.append)
    assert sum(told) == 18 == len(images) == boxes.count and len(told) == 4


def test_chunks_are_recut_and_collected_in_order():
    images = np.arange(11 * 12, dtype=np.uint8).reshape(11, 2, 2, 3)
    for cuts in ([], [1], [3, 4, 9], [0, 10]):
        for count in (1, 4, 11, 20):
            parts = list(recut(np.split(images, cuts), count))
            assert [len(part) for part in parts] == [min(count, 11 - at) for at in range(0, 11, count)]
            assert np.array_equal(np.concatenate(parts), images)
        assert np.array_equal(collect_arrays(np.split(images, cuts), 11), images)


class Workers:
    """A pool as the chunks see it: it takes batches ahead of what it has given."""

    workers, info = 2, renderer_info(dots())

    def __init__(self):
        self.sizes = []

    def frames(self, batches):
        for batch in batches:
            self.sizes.append(len(batch))
            yield dots()(batch)


@pytest.mark.parametrize(("pixels", "most"), [(7 * 256, 7), (2**24, 64)])
def test_the_workers_of_a_pool_get_chunks_of_their_own(pixels, most):
    pool, scenes = Workers(), dot(Uniform(3, 13)).sample(0, 150)
    chunks = [frames.images for frames in render_parts(pool, scenes, None, pixels)]
    assert np.array_equal(np.concatenate(chunks), dots()(scenes).images)
    assert max(pool.sizes) <= most and len(pool.sizes) == -(-150 // most)
