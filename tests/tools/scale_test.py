"""Computes what many workers need."""

import pathlib

import pytest

from tools import scale

ROOT = pathlib.Path(__file__).parents[2]


def test_page_is_up_to_date():
    networks = (ROOT / scale.NETWORKS).read_text(encoding="utf-8")
    assert (ROOT / scale.PAGE).read_text(encoding="utf-8") == scale.page(networks)


def test_page_has_each_network():
    networks = (ROOT / scale.NETWORKS).read_text(encoding="utf-8")
    page = scale.page(networks)
    assert len(scale.parameters(networks)) >= 40
    assert all(f"| {name} | " in page for name in scale.parameters(networks))


@pytest.mark.parametrize(("workers", "expected"), [(1, 0), (2, 100), (4, 150), (512, 199.609375)])
def test_a_ring_sends_everything_twice_but_for_the_own_part(workers, expected):
    assert scale.all_reduce_bytes(100, workers) == expected


def test_parameters_are_those_of_the_table():
    table = "| lenet | 28 | 10 | 3,274,634 | 12,000 | - |\n| name | size |\n"
    assert scale.parameters(table) == {"lenet": 3_274_634}
