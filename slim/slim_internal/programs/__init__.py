"""What the scripts of the same names do; no program knows another."""
