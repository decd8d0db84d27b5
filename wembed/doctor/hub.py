"""Whether the Hugging Face Hub answers; the one check that uses the network."""

import os
from collections.abc import Iterator

from wembed.doctor.check import Check
from wembed.hub.session import Hub, HubOptions

AREA = "hub"
_PATIENCE = 10.0  # seconds
_SOME_REPOSITORY = "openai-community/gpt2"
_TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")


def hub_health() -> Iterator[Check]:
    """Whether the Hub can be reached; whether there is a token, never which."""
    is_set = any(os.environ.get(name) for name in _TOKENS)
    yield Check(AREA, "token", "ok", "set in the environment" if is_set else "not set in the environment")
    hub = Hub(HubOptions(timeout=_PATIENCE, retries=0))
    hub.ask("the Hub", lambda api: api.repo_exists(_SOME_REPOSITORY))  # either answer is one
    yield Check(AREA, "reached", "ok", f"{hub.api.endpoint} answers")
