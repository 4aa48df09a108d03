"""The image folder that 8 bits are measured on."""

import pathlib

from tools import measure_quantization


def test_tiles_are_a_folder_of_two_classes(tmp_path):
    folder = pathlib.Path(measure_quantization._tiles(tmp_path))
    names = {path.name: len(list(path.glob("*.png"))) for path in folder.iterdir()}
    assert names == {"china": 150, "flower": 150}
    tiles = {path.read_bytes() for path in folder.glob("*/*.png")}
    assert len(tiles) == 300
