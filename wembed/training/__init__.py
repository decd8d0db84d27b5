"""Training an encoder on a zoo."""
