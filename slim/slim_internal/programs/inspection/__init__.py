"""Looking at a converted data set: counts, damage, duplicates, and pictures with their labels."""
