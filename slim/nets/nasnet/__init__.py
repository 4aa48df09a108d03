"""NASNet-A and PNASNet-5: networks stacked from searched cells."""
