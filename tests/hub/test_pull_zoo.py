"""Whole pulls: thirty repositories of real networks from a loopback Hub into a zoo."""

import hashlib
import json
import shutil
import subprocess
import sys

import pytest
from hub_networks import configs, finetuned, network, publish
from hub_server import Claims

from wembed.catalog import Zoo
from wembed.hub.session import HubOptions
from wembed.zoo import embed_zoo, find_encoder, open_table, verify
from wembed.zoo.pull import FilesWanted, Limits, PullOrder, Reach, Wish, plan_pull, pull
from wembed.zoo.pull.lock import read_lock

RUNS = 5  # of every kind
CHILD = "lab/bert-child"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The folder of a loopback Hub: six kinds, five networks each, one a child of another; some in shards."""
    root = tmp_path_factory.mktemp("published")
    for seed in range(RUNS):
        for kind in configs():
            name = CHILD if (kind, seed) == ("bert", RUNS - 1) else f"org{seed}/{kind}"
            saved = finetuned(network("bert", 0), seed) if name == CHILD else network(kind, seed)
            publish(root, name, saved, sharded=seed % 2 == 1)
    return root


@pytest.fixture
def hub(published, hub_root, hub_server):
    shutil.copytree(published, hub_root, dirs_exist_ok=True)
    claims = {}
    for folder in hub_root.glob("*/*"):
        name = folder.relative_to(hub_root).as_posix()
        kind = json.loads((folder / "config.json").read_text())["model_type"]
        card = {"license": "mit", "base_model": "bert"} if name == CHILD else {"license": "apache-2.0"}
        claims[name] = Claims(card=card, config={"model_type": kind}, downloads=len(name), tags=["small"])
    claims[CHILD].card["base_model"] = "ORG0/bert"
    return hub_server(claims=claims)


@pytest.fixture
def zoo(tmp_path):
    return Zoo(tmp_path / "zoo")


def reach(hub):
    return Reach.online(HubOptions(hub.url, timeout=5, retries=1))


def everything(hub, **limits):
    return PullOrder(tuple(map(Wish, hub.names())), limits=Limits(**limits))


def run(zoo, order, how):
    plan = plan_pull(zoo, order, how)
    return list(pull(zoo, plan.candidates, how, lambda name, here, size: None)), plan


def test_thirty_repositories_are_pulled_whole_and_never_again(hub, zoo, hub_root):
    pulled, plan = run(zoo, everything(hub), reach(hub))
    assert len(hub.names()) == 30
    assert not plan.failures
    assert {one.status for one in pulled} == {"pulled"}
    assert [row.id for row in zoo.rows()] == hub.names()
    for entry in read_lock(zoo.root / "hub.lock.jsonl"):
        for checkpoint in entry.checkpoints:
            for file in checkpoint.remote.files:
                here = entry.folder(zoo) / file.path
                expected = hashlib.sha256((hub_root / entry.repository.id / file.path).read_bytes()).hexdigest()
                assert file.sha256 == expected == hashlib.sha256(here.read_bytes()).hexdigest()
    assert not list((zoo.root / "downloads").iterdir())
    assert verify(zoo) == []

    hub.log.clear()
    again, _ = run(zoo, everything(hub), reach(hub))
    assert {one.status for one in again} == {"unchanged"}
    assert not hub.requests("/resolve/")
    assert len(hub.log) == 30

    hub.log.clear()
    pinned = PullOrder(tuple(Wish(name, hub.commit(name)) for name in hub.names()))
    again, _ = run(zoo, pinned, reach(hub))
    assert {one.status for one in again} == {"unchanged"}
    offline, _ = run(zoo, everything(hub), Reach.offline())
    assert {one.status for one in offline} == {"unchanged"}
    assert len(offline) == 30
    assert not hub.log


def test_rows_say_what_cards_say(hub, zoo):
    run(zoo, PullOrder((Wish("org0/bert"), Wish(CHILD))), reach(hub))
    rows = {row.id: row for row in zoo.rows()}
    child = rows[CHILD]
    assert (child.parent, child.licence, child.downloads, child.tags) == ("org0/bert", "mit", len(CHILD), ["small"])
    assert (child.source, child.revision, child.architecture) == (f"hf://{CHILD}", hub.commit(CHILD), "bert")
    assert rows["org0/bert"].parent is None


def test_a_lock_repeats_a_pull_exactly(hub, zoo, tmp_path):
    run(zoo, PullOrder((Wish("org1/gpt2"), Wish(CHILD))), reach(hub))
    hub.log.clear()
    other = Zoo(tmp_path / "other")
    pulled, _ = run(other, PullOrder(locked=tuple(read_lock(zoo.root / "hub.lock.jsonl"))), reach(hub))
    assert {one.status for one in pulled} == {"pulled"}
    assert not hub.requests("/api/")
    assert {row.sha256 for row in other.rows()} == {row.sha256 for row in zoo.rows()}


def test_what_is_pulled_embeds_by_its_family_without_transformers_and_search_finds_the_child(hub, zoo):
    run(zoo, everything(hub, model_types=("bert", "gpt2", "llama", "vit")), reach(hub))
    assert {row.tier for row in zoo.rows()} == {"family"}
    encoder = find_encoder("fingerprint", zoo, "cpu")
    embed_zoo(zoo, encoder, open_table(zoo, encoder, None))
    code = "import sys; sys.modules['transformers'] = None\nfrom wembed.cli.app import app; app(sys.argv[1:])"
    arguments = ["search", "org0/bert", "-k", "2", "-q", "--zoo", str(zoo.root)]
    found = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["org0/bert", CHILD]


def test_a_branch_that_moves_leaves_the_older_checkpoint_under_its_commit(hub, zoo, hub_root):
    run(zoo, PullOrder((Wish("org0/vit"),)), reach(hub))
    old = hub.commit("org0/vit")
    publish(hub_root, "org0/vit", network("vit", 77))
    run(zoo, PullOrder((Wish("org0/vit"),)), reach(hub))
    rows = {row.id: row for row in zoo.rows()}
    assert set(rows) == {"org0/vit", f"org0/vit@{old[:12]}"}
    assert rows["org0/vit"].revision == hub.commit("org0/vit") != old
    assert verify(zoo) == []


def test_a_commit_that_changes_no_weights_fetches_none_and_leaves_one_row(hub, zoo, hub_root):
    run(zoo, PullOrder((Wish("org0/vit"),)), reach(hub))
    (hub_root / "org0/vit/generation_config.json").write_text("{}")
    hub.log.clear()
    run(zoo, PullOrder((Wish("org0/vit"),)), reach(hub))
    (row,) = zoo.rows()
    assert row.revision == hub.commit("org0/vit")
    assert [request.range for request in hub.requests("model.safetensors")] == ["bytes=0-63999"]  # its header
    assert len([path for path in zoo.root.rglob("model.safetensors") if path.is_file()]) == 1
    assert verify(zoo) == []


def test_verify_finds_a_changed_config_and_a_changed_lock(hub, zoo):
    run(zoo, PullOrder((Wish("org0/vit"), Wish("org1/gpt2"))), reach(hub))
    config = next(zoo.root.rglob("org0--vit/*/config.json"))
    config.write_text(config.read_text().replace("}", ' ,"x": 1}'))
    lock = zoo.root / "hub.lock.jsonl"
    entry = next(one for one in read_lock(lock) if one.repository.id == "org1/gpt2")
    first = entry.checkpoints[0].remote.weights[0].sha256
    lock.write_text(lock.read_text().replace(first, "0" * 64))
    problems = {problem.id: problem.problem for problem in verify(zoo)}
    assert problems["org0/vit"].startswith("config.json: sha256 is ")
    assert "the lock says" in problems["org1/gpt2"]


def test_limits_leave_out_what_is_beyond_them(hub, zoo):
    plan = plan_pull(zoo, everything(hub, where="model_type = 'vit' AND params < 1e9"), reach(hub))
    assert (len(plan.candidates), plan.left_out) == (RUNS, 25)
    hub.log.clear()
    assert plan_pull(zoo, everything(hub, max_size=10), reach(hub)).left_out == 30
    read = [request.path for request in hub.requests("/resolve/") if request.path.endswith(".safetensors")]
    assert read == []  # no header of what is too large by the listing
    assert not plan_pull(zoo, everything(hub, max_params=10), reach(hub)).candidates
    assert len(plan_pull(zoo, everything(hub, licences=("mit",)), reach(hub)).candidates) == 1


def test_a_checkpoint_that_cannot_be_taken_in_is_not_fetched_twice(hub, zoo, hub_root):
    import numpy as np
    from safetensors.numpy import save_file

    (hub_root / "org0/nan").mkdir()
    save_file({"0.weight": np.full((4, 4), np.nan, np.float32)}, hub_root / "org0/nan/model.safetensors")
    order = PullOrder((Wish("org0/nan"), Wish("org0/vit")))
    first, _ = run(zoo, order, reach(hub))
    assert {one.candidate.id: one.status for one in first} == {"org0/nan": "failed", "org0/vit": "pulled"}
    assert [row.id for row in zoo.rows()] == ["org0/vit"]
    assert not list(zoo.root.rglob("org0--nan/*/*"))
    hub.log.clear()
    second, _ = run(zoo, order, reach(hub))
    assert "NaN" in next(one.error.message for one in second if one.status == "failed")
    assert not hub.requests("/resolve/")


def test_files_of_the_hubs_own_cache_are_not_fetched(hub, zoo, monkeypatch, tmp_path, hub_root):
    from huggingface_hub import hf_hub_download

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    for name in ("config.json", "model.safetensors"):
        hf_hub_download("org0/vit", name, endpoint=hub.url, cache_dir=tmp_path / "cache")
    plan = plan_pull(zoo, PullOrder((Wish("org0/vit"),)), reach(hub))
    hub.log.clear()
    (one,) = pull(zoo, plan.candidates, reach(hub), lambda name, here, size: None)
    assert one.status == "pulled"
    assert not hub.log


def test_wanted_files_are_part_of_what_the_lock_knows(hub, zoo, hub_root):
    shutil.copy(hub_root / "org0/vit/model.safetensors", hub_root / "org0/vit/model.fp16.safetensors")
    run(zoo, PullOrder((Wish("org0/vit"),)), reach(hub))
    variant = Wish("org0/vit", files=FilesWanted(include=("*.fp16.*",)))
    pulled, _ = run(zoo, PullOrder((variant,)), reach(hub))
    assert [one.status for one in pulled] == ["pulled"]
    assert verify(zoo) == []
