"""Pulls of large files that are killed again and again, as whole processes."""

import hashlib
import json
import os
import random
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from safetensors.numpy import save_file

from wembed.catalog import Zoo
from wembed.zoo import verify

pytestmark = pytest.mark.slow

KILLS = 30
NAMES = ("lab/one", "lab/two", "lab/three")
WIDTH = 4096  # 67 MB of weights
RATE = 1_200_000  # bytes in a second, for each of the files
PIECE = 1 << 20  # bytes that a kill may cost


def on_disk(zoo):
    """How many bytes of each repository's file are there."""
    found = {}
    for part in zoo.glob("downloads/*.part"):
        found[json.loads(part.with_suffix(".json").read_text())["repository"]] = part.stat().st_size
    return found


def asked_for(hub):
    """Where the request for the rest of each repository's file begins; those for headers have an end too."""
    found = {}
    for request in hub.requests("/resolve/"):
        open_range = re.fullmatch(r"bytes=(\d+)-", request.range or "bytes=0-")
        if open_range:
            found["/".join(request.path.split("/")[1:3])] = int(open_range[1])
    return found


def test_thirty_kills_cost_at_most_a_piece_each(hub_root, hub_server, tmp_path, record_property):
    weights = np.random.default_rng(0)
    for name in NAMES:
        (hub_root / name).mkdir(parents=True)
        values = weights.standard_normal((WIDTH, WIDTH), np.float32)
        save_file({"0.weight": values}, hub_root / name / "model.safetensors")
    hub = hub_server(throttle=RATE)
    zoo, moments, lost = tmp_path / "zoo", random.Random(1), []
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "WEMBED_ZOO": str(zoo)}
    command = [sys.executable, "-c", "from wembed.cli.app import app; app()", "zoo", "pull", *NAMES]
    for _ in range(KILLS):
        before = on_disk(zoo)
        hub.log.clear()
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            time.sleep(moments.uniform(0.8, 2.5))
            assert process.poll() is None
            process.kill()
        lost += [before[name] - begun for name, begun in asked_for(hub).items() if name in before]
    assert max(lost) <= PIECE
    hub.faults.throttle = None
    subprocess.run(command, env=environment, check=True, capture_output=True)
    for row in Zoo(zoo).rows():
        original = hub_root / row.id / "model.safetensors"
        assert row.sha256 == hashlib.sha256(original.read_bytes()).hexdigest()
    assert [row.id for row in Zoo(zoo).rows()] == list(NAMES)
    assert verify(Zoo(zoo)) == []
    assert not list((zoo / "downloads").iterdir())
    record_property("pull: bytes on disk that are fetched again after kill -9", float(max(lost)))
    record_property("pull: files gone on with after kill -9", float(len(lost)))
