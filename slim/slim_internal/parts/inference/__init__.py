"""What an exported or restored network is, and how to use it."""
