"""From traced specs to a template with rules: what of its config each depth and each size is.

Two networks of other widths and depths are traced; a rule has to give the right number for both.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from wembed.symmetry.repeat import stacks_of
from wembed.symmetry.rules import Config, evaluate, fields_in
from wembed.symmetry.spec import SymmetrySpec
from wembed.symmetry.templates import Template, check_repeats, pattern_of

# What transformers takes where a field is not there.
_INSTEAD: Mapping[str, tuple[str, ...]] = {
    "num_key_value_heads": ("num_attention_heads",),
    "head_dim": ("hidden_size / num_attention_heads",),
    "n_inner": ("n_embd * 4",),
    "rope_parameters.partial_rotary_factor": ("partial_rotary_factor", "rotary_pct"),
}
_FACTORS = (2, 3, 4, 8)

# Flags and names of a config that say nothing about the function of the weights.
_NO_SWITCHES = frozenset({
    "_attn_implementation", "_experts_implementation", "_name_or_path", "_output_attentions", "apply_spec_augment",
    "architectures", "attention_dropout", "attention_types", "attn_implementation", "begin_suppress_tokens",
    "bos_token_id", "chunk_size_feed_forward", "classifier_dropout", "cls_token_id", "ctc_loss_reduction",
    "ctc_zero_infinity", "decoder_start_token_id", "dense_act_fn", "depths", "do_sample", "dtype", "eos_token_id",
    "experts_implementation", "force_bos_token_to_be_generated", "forced_bos_token_id", "forced_eos_token_id",
    "gradient_checkpointing", "hidden_dropout", "id2label", "is_gated_act", "initializer_factor", "is_decoder",
    "is_encoder_decoder", "label2id", "layer_norm_eps", "layer_types", "mask_token_id", "model_type",
    "name_or_path", "out_features", "out_indices", "output_attentions", "output_hidden_states", "output_past",
    "pad_token_id", "problem_type", "reset_params", "return_dict", "return_dict_in_generate", "rope_parameters",
    "rope_scaling", "scale_embedding", "sep_token_id", "sliding_window", "stage_names", "summary_activation",
    "summary_proj_to_labels", "summary_type", "summary_use_proj", "suppress_tokens", "task_specific_params",
    "tie_encoder_decoder", "tokenizer_class", "torch_dtype", "transformers_version", "use_cache",
    "use_masked_image", "use_mems_eval", "use_mems_train", "use_sliding_window",
})  # fmt: skip

# How the numbers of a config end that are no sizes.
_NO_SIZES = ("_id", "_std", "_eps", "_range", "dropout", "_prob", "_drop")


@dataclass(frozen=True)
class Example:
    """A traced network.

    Args:
        spec: its spec.
        config: its config.
    """

    spec: SymmetrySpec
    config: Config


def derived_template(small: Example, wide: Example) -> Template:
    """The template of two networks of one architecture; a stack that is as deep in both is taken as it is.

    Raises:
        ValueError: where they are not one template at two sizes.
    """
    others = stacks_of(wide.spec.tensors)
    stacks = {stack: n for stack, n in stacks_of(small.spec.tensors).items() if others.get(stack, n) != n}
    depths = {
        stack: next(_rules(depth, others.get(stack, 0), small.config, wide.config), "")
        for stack, depth in stacks.items()
    }
    check_repeats(small.spec, stacks)
    return Template(small.spec, depths, _size_rules(small, wide, stacks))


def _size_rules(small: Example, wide: Example, stacks: Mapping[str, int]) -> dict[str, str]:
    """A rule for every pattern of atoms, as far as the configs give one; for the first unit's own where it differs."""
    sizes: dict[str, tuple[int, int]] = {}
    for name, atom in reversed(list(small.spec.atoms.items())):
        other = wide.spec.atoms.get(name)
        if other is not None and name != "unit":
            pair, pattern = (atom.size, other.size), pattern_of(name, stacks)
            sizes[pattern if sizes.get(pattern, pair) == pair else name] = pair
    kinds = {pattern_of(name, stacks): atom.kind for name, atom in small.spec.atoms.items()}
    rules = {name: _size_rule(*pair, kinds[pattern_of(name, stacks)], small, wide) for name, pair in sizes.items()}
    for name, rule in rules.items():
        if rule.isdigit() and int(rule) > _LARGEST_CONSTANT and kinds[pattern_of(name, stacks)] != "spatial":
            raise ValueError(f"{name} is {rule} in both networks")
    return {name: rule for name, rule in sorted(rules.items()) if rule}


_LARGEST_CONSTANT = 4  # that a network may have for every width, but for kernels and pixels


def _size_rule(size: int, other: int, kind: str, small: Example, wide: Example) -> str:
    """The simplest rule for a size; heads are told from fields of heads."""
    rules = (rule for rule in _rules(size, other, small.config, wide.config) if not _of_depth(rule))
    if kind == "head":
        rules = (rule for rule in rules if all("heads" in f or f.endswith("n_head") for f in fields_in(rule)))
    return next(rules, "")


def _of_depth(rule: str) -> bool:
    """Whether a rule reads a number of layers, which no size is."""
    return any("layer" in path or path.startswith("depths") for path in fields_in(rule))


def _rules(size: int, other: int, config: Config, other_config: Config) -> Iterator[str]:
    """The rules that give one size for one config and another for the other, the simplest first.

    They read only fields in which the two differ: another that happens to fit proves nothing.
    """
    numbers, others = numbers_of(config), numbers_of(other_config)
    fields = {path: value for path, value in numbers.items() if others.get(path, value) != value}
    for rule in _candidates(fields, size):
        if evaluate(rule, config) == size and evaluate(rule, other_config) == other:
            yield _with_fallback(rule)


def _candidates(fields: Mapping[str, float], size: int) -> Iterator[str]:
    names = sorted(fields, key=lambda name: (name.count("."), len(name), name))
    yield from names
    yield from (f"{name} + 2" for name in names if "position" in name)
    for image, patch in permutations(names, 2):
        if image.endswith("image_size") and patch.endswith("patch_size"):
            yield from (f"{image} / {patch}{power}" for power in ("", " ^ 2", " ^ 2 + 1", " ^ 2 + 2"))
    yield from (f"{name} * 2 - 1 ^ 2" for name in names if name.endswith("window_size"))
    yield str(size)  # the same for every network
    yield from (f"{a} / {b}" for a, b in permutations(names, 2) if fields[b] > 1)
    yield from (f"{a} / {k}" for a in names for k in _FACTORS)
    yield from (f"{a} * {k}" for a in names for k in _FACTORS)
    for a, b in permutations(names, 2):
        yield from (f"{a} / {b} / {k}" for k in _FACTORS if fields[b] > 1)
    for a, b in permutations(names, 2):
        yield from (f"{a} * {b} / {k}" for k in (1, *_FACTORS))
    for factor in (name for name in names if name.endswith("partial_rotary_factor")):
        pairs = [(a, b) for a, b in permutations(names, 2) if factor not in (a, b)]
        yield from (f"{a} / {b} * {factor} / 2" for a, b in pairs)
        yield from (f"1 - {factor} * {a} / {b}" for a, b in pairs)


def _with_fallback(rule: str) -> str:
    """A rule, and what it is where a field is not there."""
    return " | ".join([rule, *(other for field in _INSTEAD for other in _without(rule, field))])


def _without(rule: str, field: str) -> Iterator[str]:
    """The rule without a field that may lie deeper, as in `text_config.head_dim`."""
    words = rule.split(" ")
    for place, word in enumerate(words):
        if word == field or word.endswith(f".{field}"):
            path = word.removesuffix(field)
            for instead in _INSTEAD[field]:
                inside = " ".join(f"{path}{part}" if part[0].isalpha() else part for part in instead.split(" "))
                yield " ".join([*words[:place], inside, *words[place + 1 :]])


def numbers_of(value: Any, path: str = "") -> dict[str, float]:  # parsed JSON
    """The numbers of a config by their paths, those of shapes and depths only."""
    found: dict[str, float] = {}
    for key, inner in _items(value):
        if key in ("id2label", "label2id"):
            found |= {f"{path}{key}": len(inner)} if key == "id2label" else {}
        elif isinstance(inner, Mapping | list | tuple):
            found |= numbers_of(inner, f"{path}{key}.")
        elif isinstance(inner, int | float) and not isinstance(inner, bool) and not key.endswith(_NO_SIZES):
            found[f"{path}{key}"] = inner
    return {path: number for path, number in found.items() if 0 < number < 1e9}


def switches_of(config: Config, activation: str) -> dict[str, object]:
    """The flags and names of a config that may change the function, by their paths."""
    found: dict[str, object] = {}
    for path, value in _leaves(config):
        if path != activation and not set(path.split(".")) & _NO_SWITCHES and isinstance(value, bool | str):
            found[path] = value
    return found


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, object]]:
    for key, inner in _items(value):
        if isinstance(inner, Mapping | list | tuple):
            yield from _leaves(inner, f"{path}{key}.")
        else:
            yield f"{path}{key}", inner


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    items = value.items() if isinstance(value, Mapping) else enumerate(value)
    yield from ((str(key), inner) for key, inner in items)
