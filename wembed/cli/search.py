"""`wembed search`."""

from typing import Annotated

import typer

from wembed.cli import options
from wembed.cli.failures import report_failures
from wembed.cli.output import Output

COLUMNS = ("rank", "id", "score", "path", "architecture", "dataset", "accuracy", "encoder", "percentile")
VERDICT, LAYERS = ("verdict", "p_value"), ("shared", "layers")
SHORTLIST = 50  # of which the best are shown, where they are verified

Where = Annotated[
    str | None,
    typer.Option("--where", metavar="SQL", help='Only those that a filter lets through, such as "accuracy > 0.9".'),
]
Fields = Annotated[str, typer.Option("--fields", metavar="A,B", help="More columns to show, such as run,params.")]
MinScore = Annotated[float, typer.Option("--min-score", min=-1, max=1, help="The least cosine similarity.")]
SameArchitecture = Annotated[
    bool, typer.Option("--same-architecture", help="Only those with tensors of the same names and shapes.")
]
ExcludeSelf = Annotated[
    bool, typer.Option("--exclude-self", help="Neither the checkpoint itself nor what has the same weights.")
]
Tensors = Annotated[
    list[str] | None,
    typer.Option(
        "--tensor",
        metavar="NAME",
        help="Only those that hold this tensor, in any order and any dtype that holds it exactly.",
    ),
]
Why = Annotated[bool, typer.Option("--why", help="Which layers each shares with the query, and which were retrained.")]
Verify = Annotated[
    bool,
    typer.Option("--verify", help="Align the 50 nearest; say same, derived or unrelated, kin first."),
]
Ann = Annotated[bool, typer.Option("--ann", help="By an index, which is made first; its recall is measured and said.")]


def search(
    checkpoints: Annotated[list[str], typer.Argument(metavar="CKPT...", help=f"Checkpoints: {options.CHECKPOINT}.")],
    k: options.K = 5,
    where: Where = None,
    fields: Fields = "",
    min_score: MinScore = -1.0,
    same_architecture: SameArchitecture = False,
    exclude_self: ExcludeSelf = False,
    tensor: Tensors = None,
    ann: Ann = False,
    why: Why = False,
    verify: Verify = False,
    encoder: options.EncoderName = None,
    spec: options.Spec = None,
    zoo: options.Zoo = options.DEFAULT_ZOO,
    store: options.Store = None,
    device: options.Device = "auto",
    gpu: options.Gpu = False,
    format: options.Format = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Find the checkpoints of the zoo that are nearest by their weights; what isn't embedded yet is embedded first.

    percentile says which share of random pairs of the zoo is no more alike: 50 is chance, 99.9 hardly.

    Example: wembed search model.safetensors -k 5
    """
    from wembed.cli.answers import FIELDS, TENSOR_FIELDS, gather_by_index, rows_of, with_evidence, write_rows
    from wembed.cli.asked import queries_of, with_tensors
    from wembed.cli.session import Session, SessionOptions
    from wembed.neighbours import Wanted, scan, search

    output = Output.choose(format, json, quiet)
    more = [name.strip() for name in fields.split(",") if name.strip()]
    reach = max(k, SHORTLIST) if verify else k
    shown = tuple(dict.fromkeys((*FIELDS, *more, *(TENSOR_FIELDS if why else ()))))
    wanted = Wanted(reach, where, min_score, same_architecture, exclude_self, shown, tuple(tensor or ()))
    session = Session.start(output, SessionOptions(zoo, encoder, store, device, gpu), needs_zoo=True)
    asked = queries_of(session, checkpoints, spec)
    session.catch_up()
    asked = with_tensors(session, asked, wanted.tensors) if why or tensor else asked
    gather = gather_by_index(session, reach) if ann else scan
    rows = rows_of(session, search(asked.queries, session.kept.table, wanted, gather))
    evidence = [*(VERDICT if verify else ()), *(LAYERS if why else ())]
    several = ["query"] if len(checkpoints) > 1 or "-" in checkpoints else []
    columns = [*several, *COLUMNS, *more, *evidence]
    first = write_rows(output, with_evidence(session, spec, evidence, k, rows), columns)
    report_failures(output, asked.failures, len(asked.queries))
    if first:
        output.next_command("zoo", "show", first["id"], zoo=zoo)
