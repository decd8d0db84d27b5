"""`--verify`: a network is run, and what came of it is said."""

from wembed.cli.opened import Described
from wembed.cli.output import Output
from wembed.errors import WembedError
from wembed.symmetry.prove import Proof, prove

_SHOWN = 5  # of what is wrong


def check_proof(output: Output, opened: Described) -> None:
    """Proves the symmetries by running the network with random weights, and says how far outputs were off.

    Raises:
        WembedError: they do not hold, or there is no network to run.
    """
    import numpy as np

    network = opened.network()
    with output.progress("verifying") as progress:
        progress(0, 1)
        proof = prove(opened.spec, network, np.random.default_rng(0))
    for line in _lines(proof):
        output.note(line)
    failed = [check for check in proof.verification.checks if not check.holds]
    if failed:
        check = failed[0]
        side = "must exceed" if check.name == "control" else "must stay below"
        message = f"not proven: {check.name} changes the outputs by {check.error:.1e}, which {side} {check.tolerance:g}"
        wrong = proof.verification.wrong
        named = f"; these do on their own: {', '.join(wrong[:_SHOWN])}" if wrong else ""
        raise WembedError(message + named, "state the symmetries with --spec FILE, or the network with --module")


def _lines(proof: Proof) -> list[str]:
    found = proof.verification
    errors = ", ".join(f"{check.name} {check.error:.1e} (below {check.tolerance:g})" for check in found.checks[:-1])
    control = found.checks[-1]
    return [
        f"ran {proof.network} with random weights, {found.atoms} atoms permuted, precision {found.dtype}",
        f"relative error: {errors}; control {control.error:.1e} (above {control.tolerance:g})",
    ]
