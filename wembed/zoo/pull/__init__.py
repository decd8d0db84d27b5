"""Pulling a zoo from the Hugging Face Hub.

An order (what a person wants) becomes a plan (checkpoints, before a byte of their weights is fetched), and the plan
rows of the catalog and lines of the lock. It needs huggingface_hub, which the rest of `wembed.zoo` does without.
"""

from wembed.zoo.pull.book import Pulled
from wembed.zoo.pull.candidate import Candidate
from wembed.zoo.pull.choose import FilesWanted
from wembed.zoo.pull.given import order_of_manifest
from wembed.zoo.pull.manifest import PullManifest
from wembed.zoo.pull.order import Limits, PullOrder, Wish
from wembed.zoo.pull.plan import PullPlan, Reach, plan_pull
from wembed.zoo.pull.run import pull
from wembed.zoo.pull.sizes import parse_size

__all__ = [
    "Candidate",
    "FilesWanted",
    "Limits",
    "PullManifest",
    "PullOrder",
    "PullPlan",
    "Pulled",
    "Reach",
    "Wish",
    "order_of_manifest",
    "parse_size",
    "plan_pull",
    "pull",
]
