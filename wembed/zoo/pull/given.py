"""A manifest in; the order that it is, out."""

from wembed.zoo.pull.manifest import PullManifest
from wembed.zoo.pull.order import Limits, PullOrder, Wish


def order_of_manifest(manifest: PullManifest) -> PullOrder:
    """Gives what a manifest orders."""
    filters, files = manifest.filters, manifest.files.wanted()
    return PullOrder(
        wishes=tuple(
            Wish(entry.repo, entry.revision or "", entry.files.wanted() if entry.files else files, entry.parent or "")
            for entry in manifest.repositories
        ),
        queries=tuple(query.hub_query() for query in manifest.queries),
        files=files,
        limits=Limits(filters.max_size, filters.max_params, filters.model_type, filters.licences),
    )
