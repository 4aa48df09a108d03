"""What all else stands on: errors, files, images, downloads, the command line, TensorFlow."""
