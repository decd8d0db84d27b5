import numpy as np
import pytest

from wembed.checkpoint.dtypes import STORAGE, encode, to_values


@pytest.mark.parametrize("dtype", ["F64", "F32", "F16", "BF16"])
def test_what_a_dtype_can_hold_is_stored_and_read_back(dtype):
    values = np.array([0.0, -1.5, 0.25, 1024.0])
    stored = encode(values, dtype)
    assert stored.dtype == STORAGE[dtype]
    np.testing.assert_array_equal(to_values(dtype, stored), values)


def test_bfloat16_is_rounded_to_the_nearest_and_a_tie_to_even():
    values = np.array([1.0 + 2.0**-8, 1.0 + 3 * 2.0**-8, 1.0 + 2.0**-8 + 2.0**-12])
    assert to_values("BF16", encode(values, "BF16")).tolist() == [1.0, 1.0 + 2.0**-6, 1.0 + 2.0**-7]


def test_a_dtype_that_is_not_written_is_refused():
    with pytest.raises(ValueError, match="values are stored as F64, F32, F16 or BF16, found 'F8_E4M3'"):
        encode(np.ones(2), "F8_E4M3")
