"""`wembed search`."""

from wembed.cli import options
from wembed.cli.failures import report_failures
from wembed.cli.output import Output

COLUMNS = ("rank", "id", "score", "path", "architecture", "dataset", "accuracy", "encoder")


def search(
    checkpoint: options.Checkpoint,
    k: options.K = 5,
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

    Example: wembed search model.safetensors -k 5
    """
    from wembed.cli.session import Session, SessionOptions

    output = Output.choose(format, json, quiet)
    session = Session.start(output, SessionOptions(zoo, encoder, store, device, gpu), needs_zoo=True)
    queries = session.embed([checkpoint], spec)
    session.catch_up()
    rows = [row for query in queries.done for row in session.neighbours(query, k)]
    output.rows(rows, ("query", *COLUMNS) if checkpoint == "-" else COLUMNS)
    report_failures(output, [failure.error for failure in queries.failures], len(queries.done))
    if rows:
        output.next_command("zoo", "show", rows[0]["id"], zoo=zoo)
