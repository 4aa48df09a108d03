"""A converted data set on the disk: TFRecord files, examples, manifest, journal, labels."""
