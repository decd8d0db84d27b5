"""Files of the Hub, fetched so that a broken or killed download goes on where it was: by this process or another one.

A listed file enters; the file leaves, whole, checked and synced, or nothing where it belongs. Meanwhile its first bytes
are in a folder of partial files, each with a sidecar that says what it is.
"""

from wembed.hub.download.fetch import download
from wembed.hub.download.partial import remove_left_over

__all__ = ["download", "remove_left_over"]
