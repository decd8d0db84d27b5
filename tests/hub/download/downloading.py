"""A download in a process of its own, which can be killed, measured, or kept on a disk of its own."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from wembed.hub.repository import RemoteFile

_DOWNLOAD = r"""
import json, re, sys, time
from pathlib import Path
from wembed.hub.download import download
from wembed.hub.repository import RemoteFile, Repository
from wembed.hub.session import Hub, HubOptions

url, path, size, sha256, target, partials = sys.argv[1:]
file = RemoteFile(path, int(size), sha256=sha256)
hub = Hub(HubOptions(endpoint=url, timeout=20, retries=0))
print("begun", flush=True)
begin = time.perf_counter()
found = download(hub, Repository("org/name", "c" * 40, (file,)), file, Path(target), Path(partials))
seconds = time.perf_counter() - begin
status = Path("/proc/self/status")  # getrusage would count what the parent had at the fork
peak = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
kilobytes = int(peak[1]) if peak else None
print(json.dumps({"sha256": found, "seconds": seconds, "peak_kb": kilobytes}), flush=True)
"""


def start_download(
    url: str, file: RemoteFile, target: Path, partials: Path, script: str = _DOWNLOAD, within: Sequence[str] = ()
) -> subprocess.Popen[str]:
    """Starts a process that says that it begins, then what it has found.

    Args:
        url: of the server.
        file: to download.
        target: where it goes.
        partials: folder of partial files.
        script: what the process does.
        within: a command that runs it.
    """
    arguments = [url, file.path, str(file.size), file.sha256, str(target), str(partials)]
    command = [*within, sys.executable, "-c", script, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> dict:
    """What a download says when it is done."""
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return json.loads(output.splitlines()[-1])
