"""Files that a random member of the symmetry group was applied to."""

import numpy as np
import pytest
from small_networks import NETWORKS, Net

from wembed.checkpoint import open_checkpoint, write_safetensors
from wembed.checkpoint.dtypes import encode
from wembed.encoder import load_encoder
from wembed.errors import UsageError, WembedError
from wembed.symmetry import permute, permute_continuously


def _written(net: Net, path, dtype: str = "F32"):
    write_safetensors(path, {name: (dtype, encode(values, dtype)) for name, values in net.arrays.items()}, {})
    return open_checkpoint(path)


def _arrays(checkpoint) -> dict:
    return {name: checkpoint.read(name).astype(np.float64) for name in checkpoint.tensors}


@pytest.mark.parametrize("name", NETWORKS)
def test_copy_of_a_file_computes_the_same_and_embeds_the_same(name, tmp_path, record_property):
    net = NETWORKS[name](51)
    checkpoint = _written(net, tmp_path / "net.safetensors")
    permute_continuously(checkpoint, net.spec, tmp_path / "copy.safetensors", np.random.default_rng(52))
    copy = open_checkpoint(tmp_path / "copy.safetensors")
    before, after = net.forward(_arrays(checkpoint)), net.forward(_arrays(copy))
    change = float(np.abs(after - before).max() / np.abs(before).max())
    record_property("function: file after a continuous action", change)
    assert change < 1e-5
    for encoder in ("fingerprint", "gnn"):
        one, other = load_encoder(encoder).embed([(checkpoint, net.spec), (copy, net.spec)])
        record_property(f"{encoder}: file after a continuous action", float(np.linalg.norm(one - other)))
        assert np.linalg.norm(one - other) < 1e-4


def test_scales_of_heads_and_experts_are_exact_in_bfloat16(tmp_path):
    for name in ("attention", "rotary", "experts"):
        net = NETWORKS[name](53)
        checkpoint = _written(net, tmp_path / f"{name}.safetensors", "BF16")
        out = tmp_path / f"{name}-copy.safetensors"
        permute(checkpoint, net.spec, out, np.random.default_rng(54), rescale=True)
        before, after = net.forward(_arrays(checkpoint)), net.forward(_arrays(open_checkpoint(out)))
        np.testing.assert_allclose(after, before, rtol=1e-12, atol=1e-12)


def test_matrices_are_refused_in_bfloat16(tmp_path):
    net = NETWORKS["attention"](55)
    checkpoint = _written(net, tmp_path / "net.safetensors", "BF16")
    with pytest.raises(UsageError, match="BF16 weights cannot be mixed exactly") as refused:
        permute_continuously(checkpoint, net.spec, tmp_path / "copy.safetensors", np.random.default_rng(56))
    assert refused.value.hint == "give --rescale, which takes powers of two"


def test_a_network_without_heads_is_said_to_have_none(tmp_path):
    net = NETWORKS["residual"](57)
    checkpoint = _written(net, tmp_path / "net.safetensors")
    notices = permute_continuously(checkpoint, net.spec, tmp_path / "copy.safetensors", np.random.default_rng(58))
    assert notices == ["nothing to mix or turn, no heads or low ranks are known"]


def test_nothing_free_and_nothing_to_scale_is_refused(tmp_path):
    net = NETWORKS["lora"](59)
    atoms = {name: type(atom)(name, atom.size, atom.kind, "given") for name, atom in net.spec.atoms.items()}
    sites = {name: type(site)(name, site.axis, fixed=True) for name, site in net.spec.sites.items()}
    spec = type(net.spec)("given", atoms, net.spec.tensors, sites, net.spec.layers)
    checkpoint = _written(net, tmp_path / "net.safetensors")
    for write in (permute, permute_continuously):
        with pytest.raises(WembedError, match="nothing in it may be permuted"):
            write(checkpoint, spec, tmp_path / "copy.safetensors", np.random.default_rng(60))
