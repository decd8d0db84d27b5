"""A page of the Hub's API by its address; its JSON out, and where the listing goes on.

HfApi's own methods are not used for listings: in huggingface_hub 2.4 list_models waits for ever on a server that falls
silent, and model_info fails on a repository for a flaw in its card.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import httpx2
from huggingface_hub import get_session, hf_raise_for_status
from huggingface_hub.utils._http import fix_hf_endpoint_in_url

from wembed.errors import HubError
from wembed.hub.session import Hub

MAX_PAGE_BYTES = 100_000_000  # a listing of 50,000 files takes 15 MB

Parameters = Mapping[str, str | list[str]]


@dataclass(frozen=True)
class Page:
    """A page of the API.

    Args:
        answer: its JSON; somebody else's, so that anything may be in it.
        following: path of the page that the listing goes on with, "" where it ends.
    """

    answer: object
    following: str


def read_page(hub: Hub, what: str, path: str, parameters: Parameters | None = None) -> Page:
    """Reads a page, again where that may help.

    Args:
        hub: to ask.
        what: is asked for, for messages.
        path: below the Hub's address, such as /api/models.
        parameters: of the query.

    Raises:
        NotFoundError: if it isn't there.
        HubError: if the Hub refuses, can't be reached or doesn't answer with JSON.
    """
    return hub.ask(what, lambda _: _page(hub, what, path, parameters))


def _page(hub: Hub, what: str, path: str, parameters: Parameters | None) -> Page:
    timeout = httpx2.Timeout(hub.options.timeout)
    with get_session().stream(
        "GET", hub.api.endpoint + path, params=parameters, headers=hub.headers, timeout=timeout
    ) as response:
        hf_raise_for_status(response)
        if response.status_code != httpx2.codes.OK:
            raise HubError(f"{what}: the Hub answers with status {response.status_code}")
        text = bytearray()
        for chunk in response.iter_bytes():
            text += chunk
            if len(text) > MAX_PAGE_BYTES:
                raise HubError(f"{what}: the Hub's answer is longer than {MAX_PAGE_BYTES} bytes")
        following = response.links.get("next", {}).get("url", "")
    return Page(json.loads(text), _on_the_same_hub(hub, what, following))


def _on_the_same_hub(hub: Hub, what: str, address: str) -> str:
    """The path of a page; one of another host would get the token, but a mirror may hand on the Hub's own address."""
    start = hub.api.endpoint
    address = fix_hf_endpoint_in_url(address, start)
    if not address or address.startswith("/api/"):
        return address
    if not address.startswith(f"{start}/"):
        raise HubError(f"{what}: the listing goes on at another host, which is not asked", "check HF_ENDPOINT")
    return address.removeprefix(start)
