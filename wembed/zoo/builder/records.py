"""A manifest's data sets in; what of them is needed to say which inputs a network has seen, in the zoo, out."""

import json

from wembed.catalog import Zoo
from wembed.catalog.zoo import absolute, write_whole
from wembed.models import load_dataset
from wembed.models.data.split import SPLIT_SEED
from wembed.zoo.builder.journal import FOLDER
from wembed.zoo.builder.lineage.child import PARITY
from wembed.zoo.builder.manifest import BuildManifest

DATA = f"{FOLDER}/data"


def record_data(zoo: Zoo, manifest: BuildManifest) -> None:
    """Writes runs/build/data/NAME.json for every data set of a manifest: its hash, its parts, how they were drawn.

    Raises:
        WembedError: if it can't be written.
    """
    children = {f"{group.dataset}{PARITY}" for group in manifest.groups if group.children.head}
    for name in sorted(children | {group.dataset for group in manifest.groups}):
        file = manifest.file_of(name)
        data = load_dataset(name, file)
        record = {
            "name": name,
            "kind": data.kind,
            "shape": data.shape,
            "classes": data.classes,
            "digest": data.digest,
            "file": str(absolute(file.path)) if file else None,
            "target": file.target if file else None,
            "split_seed": SPLIT_SEED,
            "train": len(data.train_labels),
            "validation": len(data.validation_labels),
            "test": len(data.test_labels),
        }
        write_whole(zoo.root / DATA / f"{name}.json", (json.dumps(record, indent=1) + "\n").encode())
