"""The family tier: the specs of common architectures from names, shapes and config.json, without running anything."""

from wembed.symmetry.families.choose import family_shapes, family_spec, structural_fields

__all__ = ["family_shapes", "family_spec", "structural_fields"]
