"""Merged files hold the numbers that the papers' formulas give, whatever their dtype and however they are stored."""

import numpy as np
import pytest
import torch
from merge_files import write_merged
from merge_references import DENSITY, FORMULAS, SCALE, SEED, WEIGHTS

from wembed.checkpoint import open_checkpoint
from wembed.merging.methods import NEED_BASE, Combination
from wembed.merging.streamed import Source

TOLERANCE = 1e-6
HALF_STEP = {"F32": 2.0**-24, "BF16": 2.0**-8}  # to the next number of the dtype at most, relative


def combination(method):
    weights = None if method == "stock" else WEIGHTS
    return Combination(method, weights, density=DENSITY, scale=SCALE, seed=SEED)


def expected(family, method, name, dtype):
    networks = [family.tensors(number, dtype)[name].double().numpy() for number in range(3)]
    return FORMULAS[method](networks[1:], networks[0], name)


@pytest.fixture(params=["one file", "shards"])
def merge(request, family, tmp_path):
    write = family.write if request.param == "one file" else family.write_shards

    def run(method, dtype, out_dtype):
        base, *networks = (Source(open_checkpoint(write(number, dtype))) for number in range(3))
        out = tmp_path / ("out.safetensors" if request.param == "one file" else "out")
        written = write_merged(networks, base if method in NEED_BASE else None, combination(method), out, out_dtype)
        assert len(written.files) == {"one file": 1, "shards": 3}[request.param]
        return open_checkpoint(out)

    return run


@pytest.mark.parametrize("dtype", ["BF16", "F32"])
@pytest.mark.parametrize("method", FORMULAS)
def test_merged_numbers_are_those_of_the_formula(merge, family, method, dtype):
    found = merge(method, dtype, "F32")
    for name, info in found.tensors.items():
        if info.is_floating:
            assert info.dtype == "F32"
            assert np.allclose(found.read(name), expected(family, method, name, dtype), rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("method", FORMULAS)
def test_merged_bfloat16_is_the_formula_rounded_once(merge, family, method):
    found = merge(method, "BF16", None)
    for name, info in found.tensors.items():
        if info.is_floating:
            assert info.dtype == "BF16"
            exact = expected(family, method, name, "BF16")
            error = np.abs(found.read(name) - exact)
            assert (error <= HALF_STEP["BF16"] * np.abs(exact) + TOLERANCE).all()


def test_rounding_is_that_of_torch(family, tmp_path):
    networks = [Source(open_checkpoint(family.write(number, "F32"))) for number in (1, 2)]
    write_merged(networks, None, Combination(), tmp_path / "out.safetensors", "BF16")
    found = open_checkpoint(tmp_path / "out.safetensors")
    for name in ("lm_head.weight", "model.scale"):
        exact = sum(family.tensors(number, "F32")[name].float() for number in (1, 2)) * 0.5
        assert np.array_equal(found.read(name), exact.to(torch.bfloat16).float().numpy())
