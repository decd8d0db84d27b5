"""Manifests of zoos to build: what people write in; groups of runs, with all that is said about them, out."""

from wembed.zoo.builder.manifest.group import Group
from wembed.zoo.builder.manifest.manifest import BuildManifest
from wembed.zoo.builder.manifest.parts import Children, Ranges, Training, Twins
from wembed.zoo.builder.manifest.written import Written

__all__ = ["BuildManifest", "Children", "Group", "Ranges", "Training", "Twins", "Written"]
