"""The packaged encoder: a folder in the package with config.json, model.safetensors and card.md, its model card."""

from wembed.encoder.pretrained.packaged import FOLDER, PRETRAINED, is_packaged, overlap

__all__ = ["FOLDER", "PRETRAINED", "is_packaged", "overlap"]
