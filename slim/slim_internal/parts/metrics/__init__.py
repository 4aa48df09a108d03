"""What is measured of a network's outputs, and where the numbers are written."""
