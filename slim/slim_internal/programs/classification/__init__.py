"""Names what is on a picture, with an exported graph or a checkpoint."""
