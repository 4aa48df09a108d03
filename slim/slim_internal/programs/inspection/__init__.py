"""Looking at a converted dataset: counts, damage, duplicates, and images with their labels."""
