"""What augmentations do to images, on one sheet."""
