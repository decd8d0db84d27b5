"""Whether a spec fits a checkpoint: every tensor of either is in the other, with the same shape."""

from wembed.checkpoint import Checkpoint
from wembed.errors import CheckpointRefusedError
from wembed.symmetry.axes import atoms_of
from wembed.symmetry.spec import SymmetrySpec
from wembed.symmetry.stacks import stored_shapes


def check_fit(spec: SymmetrySpec, checkpoint: Checkpoint) -> None:
    """Check a spec against a checkpoint's names, shapes and dtypes.

    Raises:
        CheckpointRefusedError: where it does not fit, naming the tensor.
    """
    expected = stored_shapes(spec)
    shapes = {name: info.shape for name, info in checkpoint.tensors.items() if info.is_floating}
    for name, shape in expected.items():
        if name not in shapes:
            raise CheckpointRefusedError(f"{checkpoint.path}: the spec's tensor {name} is not in the file")
        if shapes[name] != shape:
            found = list(shapes[name])
            message = f"{checkpoint.path}: tensor {name} has shape {found}, its spec says {list(shape)}"
            raise CheckpointRefusedError(message)
    for name in shapes:
        if name not in expected:
            raise CheckpointRefusedError(f"{checkpoint.path}: tensor {name} is not in the spec")
    _check_sizes(spec, checkpoint)
    _check_dtypes(spec, checkpoint)


def _check_sizes(spec: SymmetrySpec, checkpoint: Checkpoint) -> None:
    """No atom in use is longer than the file's axes: one beside an atom of size 0 could be, and use up the memory."""
    lengths = [length for info in checkpoint.tensors.values() for length in info.shape]
    longest = max([1, *lengths, *map(len, spec.stacks.values())])
    axes = [axis for tensor in spec.tensors.values() for axis in tensor]
    axes += [site.axis for site in spec.sites.values() if not site.fixed]
    for name in dict.fromkeys(name for axis in axes for name in atoms_of(axis)):
        if spec.sizes[name] > longest:
            message = f"{checkpoint.path}: its spec's atom {name} has size {spec.sizes[name]}"
            raise CheckpointRefusedError(f"{message}, the longest axis in the file {longest}")


def _check_dtypes(spec: SymmetrySpec, checkpoint: Checkpoint) -> None:
    """The members of a stack change places, and their dtypes would not."""
    for members in spec.stacks.values():
        for member in members:
            found, first = (checkpoint.tensors[name].dtype for name in (member, members[0]))
            if found != first:
                message = f"{checkpoint.path}: tensor {member} is stored as {found}, {members[0]} as {first}"
                raise CheckpointRefusedError(message)
