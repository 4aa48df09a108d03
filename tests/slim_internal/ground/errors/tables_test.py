"""Names that stand twice in a table are found."""

import pytest

from slim_internal.ground.errors import UserError, tables


def test_unique():
    assert tables.unique("networks", [("a", 1), ("b", 2)]) == {"a": 1, "b": 2}
    with pytest.raises(UserError, match=r"^networks has two entries 'a': 1 and test_unique\."):
        tables.unique("networks", [("a", 1), ("b", 2), ("a", test_unique)])


def test_keys_of_a_source_file(tmp_path):
    source = tmp_path / "factory.py"
    source.write_text("""
datasets_map = {
    "flowers": 1,
    **{"mine": 2},
    "mine": 3,
}
other = {"flowers": [{"a": 1}, {"a": 2}]}
""")
    tables.require_unique_keys(str(source))
    source.write_text(source.read_text().replace('"mine": 3', '"flowers": 3'))
    with pytest.raises(UserError, match=r"has the key .flowers. twice in one table, .* 3 and 5"):
        tables.require_unique_keys(str(source))
    tables.require_unique_keys(str(tmp_path / "absent.py"))
