"""Operator -> rule. What is neither here nor entry by entry freezes what it touches."""

from collections.abc import Mapping

from wembed.symmetry.trace.operators import index, norm, pointwise, product, recurrent, shape, space
from wembed.symmetry.trace.propagation import Rule, RuleBook


def _rules(rule: Rule, names: str) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


_MOVES: Mapping[str, Rule] = {
    **_rules(shape.same, "clone alias detach to contiguous lift_fresh_copy type_as _to_copy dropout feature_dropout"),
    **_rules(shape.same, "alpha_dropout feature_alpha_dropout"),
    "getitem": shape.getitem,
    **_rules(shape.reshape, "view _unsafe_view reshape flatten unflatten squeeze"),
    **_rules(shape.unsqueeze, "unsqueeze"),
    **_rules(shape.transpose, "transpose swapaxes"),
    **_rules(shape.transpose_matrix, "t numpy_T"),
    "permute": shape.permute,
    "expand": shape.expand,
    "slice": shape.slices,
    "narrow": shape.narrow,
    **_rules(shape.split, "split split_with_sizes chunk unsafe_chunk unsafe_split"),
    "select": shape.select,
    "unbind": shape.unbind,
}

_INDICES: Mapping[str, Rule] = {
    "arange": index.arange,
    **_rules(index.top, "topk sort"),
    **_rules(index.largest, "max min"),
    **_rules(index.which, "argmax argmin"),
    **_rules(index.compare, "eq ne"),
    "one_hot": index.one_hot,
    "gather": index.gather,
    **_rules(index.scatter, "scatter scatter_add"),
    "index_select": index.index_select,
    "index": index.index,
    "embedding": product.embedding,
}

_OTHERS: Mapping[str, Rule] = {
    **_rules(shape.repeat, "repeat tile"),
    "repeat_interleave": shape.repeat_interleave,
    "cat": shape.cat,
    "stack": shape.stack,
    **_rules(shape.pad, "constant_pad_nd pad"),
    **_rules(shape.along_space, "flip roll"),
    **_rules(shape.constant, "full zeros ones empty scalar_tensor full_like zeros_like ones_like empty_like"),
    **_rules(shape.constant, "new_zeros new_ones new_full new_empty"),
    "pixel_shuffle": shape.pixel_shuffle,
    "pixel_unshuffle": shape.pixel_unshuffle,
    **_rules(shape.channel_shuffle, "channel_shuffle native_channel_shuffle"),
    **_rules(pointwise.pointwise, "pointwise gelu silu elu hardswish log_sigmoid floor_divide where masked_fill"),
    **_rules(pointwise.pointwise, "__and__ __or__ __xor__"),
    **_rules(pointwise.prelu, "prelu _prelu_kernel"),
    "glu": pointwise.glu,
    **_rules(pointwise.along_axis, "softmax log_softmax _softmax _log_softmax _safe_softmax"),
    **_rules(pointwise.cumulative, "cumsum cumprod logcumsumexp"),
    **_rules(pointwise.triangle, "tril triu"),
    **_rules(pointwise.reduction, "sum mean amax amin var std any all prod linalg_vector_norm norm var_mean std_mean"),
    **_rules(pointwise.reduction, "logsumexp nansum"),
    "diff": pointwise.difference,
    **_rules(norm.layer_norm, "layer_norm native_layer_norm rms_norm _fused_rms_norm"),
    **_rules(norm.batch_norm, "batch_norm instance_norm native_batch_norm cudnn_batch_norm _native_batch_norm_legit"),
    **_rules(norm.batch_norm, "_native_batch_norm_legit_no_training _native_batch_norm_legit_functional"),
    **_rules(norm.group_norm, "group_norm native_group_norm"),
    **_rules(norm.weight_norm, "_weight_norm _weight_norm_interface"),
    "linear": product.linear,
    **_rules(product.add_product, "addmm baddbmm"),
    **_rules(product.matmul, "matmul mm bmm mv dot vdot"),
    "einsum": product.einsum,
    "scaled_dot_product_attention": product.attention,
    **_rules(space.convolution, "conv1d conv2d conv3d"),
    **_rules(space.transposed_convolution, "conv_transpose1d conv_transpose2d conv_transpose3d"),
    "convolution": space.any_convolution,
    **_rules(space.over_places, "avg_pool1d avg_pool2d avg_pool3d max_pool1d max_pool2d max_pool3d"),
    **_rules(space.over_places, "max_pool2d_with_indices max_pool3d_with_indices"),
    **_rules(space.over_places, "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d _adaptive_avg_pool2d"),
    **_rules(space.over_places, "adaptive_max_pool1d adaptive_max_pool2d"),
    **_rules(space.over_places, "upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_linear1d"),
    **_rules(space.over_places, "upsample_bilinear2d upsample_bicubic2d upsample_trilinear3d _upsample_bicubic2d_aa"),
    **_rules(space.over_places, "_upsample_bilinear2d_aa _upsample_nearest_exact1d _upsample_nearest_exact2d"),
    **_rules(space.over_places, "reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d"),
    "im2col": space.patches,
    **_rules(recurrent.recurrent, "lstm gru rnn_tanh rnn_relu"),
    **_rules(recurrent.cell, "lstm_cell gru_cell"),
}

AXIS_RULES = RuleBook(
    rules={**_MOVES, **_INDICES, **_OTHERS},
    keep_entries=frozenset({*_MOVES, *_INDICES}),
    keep_places=frozenset({*_MOVES, "matmul", "bmm"}),
)
