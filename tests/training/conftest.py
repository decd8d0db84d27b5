"""One small trained zoo for all tests of this folder."""

import pytest
from trained_zoo import Kind, make_zoo

from wembed.catalog import Zoo

KINDS = (Kind("wine", (8,), 30), Kind("wine", (6, 6), 10), Kind("breast_cancer", (8,), 2, sealed=True))


@pytest.fixture(scope="session")
def zoo(tmp_path_factory) -> Zoo:
    """Not to be changed."""
    return make_zoo(tmp_path_factory.mktemp("training") / "zoo", KINDS)
