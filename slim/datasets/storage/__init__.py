"""A converted dataset on the disk: TFRecord files, examples, manifest, journal, labels."""
