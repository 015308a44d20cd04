"""A finished run of the small world, made once for each file of tests."""

import pytest
from blobs import call, fit_command


@pytest.fixture(scope="module")
def whole(world, tmp_path_factory):
    """A run that nothing disturbed."""
    run = tmp_path_factory.mktemp("whole") / "run"
    call(*fit_command(world, run))
    return run
