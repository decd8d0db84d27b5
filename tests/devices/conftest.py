"""A small trained zoo for the tests of this folder."""

import pytest
from trained_zoo import Kind, make_zoo

from wembed.catalog import Zoo


@pytest.fixture(scope="session")
def zoo(tmp_path_factory) -> Zoo:
    """Not to be changed."""
    return make_zoo(tmp_path_factory.mktemp("devices") / "zoo", (Kind("wine", (6,), 32),))
