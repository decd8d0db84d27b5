"""Which neurons may be permuted and rescaled without changing the function, and the form that forgets both."""

from wembed.symmetry.action.act import Action, apply_action, compose, invert
from wembed.symmetry.action.permuted_copy import permute, permute_continuously
from wembed.symmetry.action.random_actions import random_action, random_continuous_action
from wembed.symmetry.canonical_form.canonical_view import CanonicalView, canonical
from wembed.symmetry.find import find_spec, load_spec, save_spec, spec_metadata, structure_signature
from wembed.symmetry.inference.declare import declare_spec
from wembed.symmetry.inference.infer import infer_spec
from wembed.symmetry.spec import Atom, Layer, Site, SymmetrySpec

__all__ = [
    "Action",
    "Atom",
    "CanonicalView",
    "Layer",
    "Site",
    "SymmetrySpec",
    "apply_action",
    "canonical",
    "compose",
    "declare_spec",
    "find_spec",
    "infer_spec",
    "invert",
    "load_spec",
    "permute",
    "permute_continuously",
    "random_action",
    "random_continuous_action",
    "save_spec",
    "spec_metadata",
    "structure_signature",
]
