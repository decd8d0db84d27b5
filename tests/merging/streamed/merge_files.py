"""Merging from file to file as a recipe does it: in a hidden place that takes the result's name at the end."""

from wembed.checkpoint.staging import staged
from wembed.merging.streamed import Form, write_weights


def write_merged(sources, base, how, out, dtype=None, max_shard_bytes=None, metadata=None, **tools):
    with staged(out) as partial:
        if out.suffix != ".safetensors":
            partial.mkdir()
        return write_weights(sources, base, how, partial, Form(dtype, max_shard_bytes, metadata), **tools)
