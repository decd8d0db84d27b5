"""What stands beside merged weights: whether there is a place for them, the files of the base, the model card."""
