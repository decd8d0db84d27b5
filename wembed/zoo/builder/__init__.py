"""Building a zoo: from a manifest to networks that were trained for it, many of one shape at once.

It needs torch, which the rest of `wembed.zoo` does without.
"""

from wembed.zoo.builder.estimate import estimate_seconds
from wembed.zoo.builder.manifest import BuildManifest
from wembed.zoo.builder.resumable import BuildOptions, BuiltStack, build, jobs_for, plan
from wembed.zoo.builder.stacks import Stack

__all__ = ["BuildManifest", "BuildOptions", "BuiltStack", "Stack", "build", "estimate_seconds", "jobs_for", "plan"]
