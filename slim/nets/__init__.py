"""The networks: one file per family, each ending with the records of its networks."""
