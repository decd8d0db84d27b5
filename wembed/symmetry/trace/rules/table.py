"""Operator -> rule. What is not in this table fixes what it touches."""

from collections.abc import Mapping

from wembed.symmetry.trace.flow import Rule
from wembed.symmetry.trace.rules import attention, norms, pointwise, products, recurrent, shape, space


def _rules(rule: Rule, *names: str) -> dict[str, Rule]:
    return dict.fromkeys(names, rule)


FLOW_RULES: Mapping[str, Rule] = {
    **_rules(shape.same, "clone", "alias", "detach", "to", "_to_copy", "contiguous", "lift_fresh_copy", "type_as"),
    **_rules(shape.same, "dropout", "native_dropout", "feature_dropout", "alpha_dropout"),
    **_rules(lambda flow, node: flow.plain(node), "arange", "ones", "ones_like", "new_ones", "scalar_tensor", "empty"),
    **_rules(lambda flow, node: flow.plain(node), "_assert_tensor_metadata", "sym_size", "_assert_scalar"),
    **_rules(shape.zeros, "zeros", "zeros_like", "new_zeros"),
    "full": shape.full,
    "full_like": shape.full,
    "getitem": shape.getitem,
    **_rules(shape.reshape, "view", "_unsafe_view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze"),
    **_rules(shape.permute, "permute", "transpose", "t", "numpy_T"),
    "expand": shape.expand,
    "slice": shape.slices,
    "narrow": shape.narrow,
    **_rules(shape.split, "split", "split_with_sizes", "chunk"),
    "cat": shape.cat,
    **_rules(shape.pad, "constant_pad_nd", "pad"),
    "select": shape.select,
    "unbind": shape.unbind,
    "linear": products.linear,
    "addmm": products.addmm,
    **_rules(products.matmul, "matmul", "mm", "bmm"),
    "embedding": products.embedding,
    "index": products.expert,
    **_rules(products.convolution, "convolution", "conv1d", "conv2d", "conv3d"),
    **_rules(products.convolution, "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
    "scaled_dot_product_attention": attention.attention,
    **dict.fromkeys(pointwise.ACTIVATIONS, pointwise.activation),
    **_rules(pointwise.prelu, "prelu", "_prelu_kernel"),
    "neg": pointwise.scaled,
    **_rules(pointwise.add, "add", "sub"),
    **_rules(pointwise.mul, "mul", "div"),
    **_rules(pointwise.where, "where", "masked_fill"),
    **_rules(pointwise.softmax, "softmax", "_softmax", "_safe_softmax"),
    **_rules(space.reduce, "mean", "sum", "amax"),
    **_rules(space.over_space, "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d"),
    **_rules(space.over_space, "adaptive_avg_pool2d", "_adaptive_avg_pool2d", "upsample_nearest2d"),
    **_rules(space.over_space, "upsample_bilinear2d", "upsample_bicubic2d", "roll", "reflection_pad2d"),
    **_rules(space.repeated, "repeat_interleave", "repeat"),
    **_rules(space.max_pool, "max_pool1d", "max_pool2d", "max_pool2d_with_indices", "max_pool3d"),
    **_rules(norms.layer_norm, "layer_norm", "native_layer_norm", "rms_norm", "_fused_rms_norm"),
    **_rules(norms.group_norm, "group_norm", "native_group_norm"),
    **_rules(norms.batch_norm, "batch_norm", "_native_batch_norm_legit_no_training", "cudnn_batch_norm"),
    **_rules(recurrent.recurrent, "lstm", "gru", "rnn_tanh", "rnn_relu"),
}
