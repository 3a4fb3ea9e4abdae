"""YAML that would fill the memory, or say two things at once, is refused in one line."""

import pytest

from proformer.errors import InputError
from proformer.yaml_text import read_yaml

BOMB = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "found more than 1,000,000 values"),
        ("a: &a [*a]", "nested too deeply, or within itself"),
        ("[" * 100_000, "x: (nested too deeply|not valid YAML)"),
        ("a: 1\na: 2\n", "x:2: 'a' stands here a second time"),
        ("a: {b\n", r"x:\d: not valid YAML"),
        ("a: !!python/object:os.system {}\n", "x:1: not valid YAML"),
        (b"a: \xff", "x: not valid YAML: not UTF-8 text"),
        ("a: 2020-99-99", "x: not valid YAML"),
    ],
)
def test_refused(text, message):
    with pytest.raises(InputError, match=message) as caught:
        read_yaml(text, "x")
    assert "\n" not in str(caught.value)


def test_read():
    assert read_yaml("", "x") == (None, None)
    data, root = read_yaml("base: &base {a: 1}\nmore: {<<: *base, b: 2}\n", "x")
    assert data == {"base": {"a": 1}, "more": {"a": 1, "b": 2}}
    assert [key.start_mark.line for key, _ in root.value] == [0, 1]
