"""`wembed merge`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from wembed.cli import options
from wembed.cli.output import DECIMALS, Output
from wembed.errors import UsageError

if TYPE_CHECKING:
    from wembed.encoder import Encoder, Item
    from wembed.merging import Merged
    from wembed.models import Dataset

COLUMNS = ("method", "align", "out", "groups_aligned", "cost_before", "cost_after")

MethodName = Literal["linear", "embedding"]
AlignName = Literal["weights", "none"]


def merge(
    checkpoints: Annotated[list[str], typer.Argument(metavar="A B [C...]", help=f"Checkpoints: {options.CHECKPOINT}.")],
    out: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT.safetensors", help="What to write.")
    ] = None,
    method: Annotated[
        MethodName,
        typer.Option("--method", help="embedding: move the average to where an encoder expects it; experimental."),
    ] = "linear",
    align: Annotated[
        AlignName, typer.Option("--align", help="weights: bring neurons into A's order first; none: do not.")
    ] = "weights",
    t: Annotated[
        float | None, typer.Option("-t", min=0.0, max=1.0, help="The share of B; default: all count alike.")
    ] = None,
    data: options.Data = None,
    encoder: Annotated[
        str | None,
        typer.Option("--encoder", metavar="NAME", help="Of --method embedding: gnn, one of the zoo, a folder."),
    ] = None,
    device: options.Device = "auto",
    gpu: options.Gpu = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Match and report, write nothing.")] = False,
    seed: options.Seed = 0,
    spec: options.Spec = None,
    zoo: options.Zoo = options.DEFAULT_ZOO,
    format: options.Format = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Merge networks of one architecture into one, their neurons brought into the order of the first.

    With --data, its training part also tells which match of neurons is best, and batch-norm statistics are recomputed
    on it; accuracies on its held-out part stand beside those of the endpoints, of the plain average, and of an endpoint
    with as much noise as the merge is away.

    Example: wembed merge a.safetensors b.safetensors -o merged.safetensors --data digits
    """
    from wembed.cli.datasets import open_dataset
    from wembed.merging import MergeOptions, merge_by_embedding, save_merged
    from wembed.merging import merge as merge_items

    output = Output.choose(format, json, quiet)
    if out is None and not dry_run:
        raise UsageError("a merge is written to a file", "give -o OUT.safetensors, or --dry-run")
    names = options.with_standard_input(checkpoints)
    items = _open(output, names, zoo, spec, out)
    dataset = open_dataset(data) if data else None
    how = MergeOptions(t, align, dataset, seed)
    if method == "embedding":
        merged = merge_by_embedding(items, how, _encoder(encoder, zoo, options.device_name(device, gpu)))
    else:
        merged = merge_items(items, how)
    _warn(output, merged, dataset)
    written = None if dry_run else out
    if written:
        derivation = f"merge of {', '.join(names)} ({method}, {align}, t={merged.weights[-1]:g})"
        save_merged(merged, [checkpoint for checkpoint, _ in items], written, derivation)
    scores = _scores(output, items, merged, dataset, seed) if dataset else {}
    output.rows([{"method": method, "align": align, "out": written, **_costs(merged), **scores}], (*COLUMNS, *scores))
    output.next_command("path", *names[:2], zoo=zoo)


def _open(output: Output, names: Sequence[str], zoo: Path, spec: Path | None, out: Path | None) -> "list[Item]":
    """Opens the checkpoints, none of which may be what is written."""
    from wembed.cli.network import Sources
    from wembed.cli.opened import check_out, open_one

    opened = [open_one(output, name, zoo, Sources(spec)) for name in names]
    if out:
        for one in opened:
            check_out(out, one.checkpoint)
    return [(one.checkpoint, one.spec) for one in opened]


def _encoder(name: str | None, zoo: Path, device: str) -> "Encoder":
    """Gives the encoder through which a merge is seen: one that lets gradients through, if it's not named."""
    from wembed.catalog import Zoo
    from wembed.zoo import find_encoder

    return find_encoder(name or "gnn", Zoo.open(zoo) if Zoo.is_zoo(zoo) else None, device)


def _warn(output: Output, merged: "Merged", dataset: "Dataset | None") -> None:
    """Says what stands between the average and a good one."""
    spec = merged.aligned.spec
    if not spec.has_free:
        output.warn("no neurons may be permuted, see `wembed inspect`: the weights are averaged in their own order")
    elif spec.tier == "inferred":
        output.note("which neurons may be permuted was inferred from names and shapes, not proven")
    if dataset is None and any(layer.kind == "batch_norm" for layer in spec.layers):
        output.note("batch-norm statistics are averages, give --data to recompute them")


def _costs(merged: "Merged") -> dict[str, object]:
    aligned = merged.aligned
    return {
        "groups_aligned": aligned.groups,
        "cost_before": aligned.cost_before,
        "cost_after": aligned.cost_after,
    }


def _scores(
    output: Output, items: "Sequence[Item]", merged: "Merged", dataset: "Dataset", seed: int
) -> dict[str, object]:
    """Gives the accuracies of the merge and of its controls, by column; says where a control is better."""
    from wembed.merging import score_controls

    found = score_controls(items, merged, dataset, seed)
    scores: dict[str, object] = {
        "accuracy": found.merged.accuracy,
        "endpoints": [round(scores.accuracy, DECIMALS) for scores in found.endpoints],
        "naive": found.naive.accuracy,
        "noised_endpoint": found.noised_endpoint.accuracy,
    }
    if found.aligned.accuracy > found.merged.accuracy:
        better = f"{found.aligned.accuracy:.3f} against {found.merged.accuracy:.3f} on held-out data"
        output.warn(f"the aligned average is better than this merge, {better}: --method linear gives it")
    if found.noised_average:
        scores |= {"aligned": found.aligned.accuracy, "noised_aligned": found.noised_average.accuracy}
    return scores
