"""Group: runs of one architecture on one data set, with all that is said about them."""

from pydantic import Field

from wembed.models import Architecture
from wembed.zoo.builder.manifest.parts import Children, Part, Ranges, Training, Twins
from wembed.zoo.builder.manifest.written import Runs


class Group(Part):
    """Runs of one architecture on one data set.

    Args:
        dataset: name of the data set.
        architecture: of the networks.
        runs: how many networks are trained, without their twins and children.
        sealed: whether nothing else may be trained or chosen on them: their rows go to the zero-shot split.
        training: how they are trained.
        hyperparameters: what they draw.
        twins: how many twins each has.
        children: how many children each has.
        places: where its dataset, architecture and children stand in its manifest, for people.
    """

    dataset: str
    architecture: Architecture
    runs: Runs
    sealed: bool = False
    training: Training
    hyperparameters: Ranges = Ranges()
    twins: Twins = Twins()
    children: Children = Children()
    places: dict[str, str] = Field(default_factory=dict, exclude=True, repr=False)

    @property
    def name(self) -> str:
        """What its runs' names begin with, such as digits-mlp-relu-32x32."""
        return f"{self.dataset}-{self.architecture.label}"

    @property
    def networks(self) -> int:
        """How many networks there are in all, twins and children of every generation included."""
        return self.runs * (1 + self.twins.total + self.children.total)

    @property
    def checkpoints(self) -> int:
        """How many files they leave: one per snapshot of a run or twin, one per child."""
        trained = self.runs * (1 + self.twins.total)
        return trained * len(self.training.snapshots) + self.runs * self.children.total
