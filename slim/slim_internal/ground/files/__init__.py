"""Files that are whole or not there, locks, and the space on the disk."""
