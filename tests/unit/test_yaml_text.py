"""YAML that would fill the memory, or say two things at once, is refused in one line."""

import re

import pytest

from proformer.errors import InputError
from proformer.planning.configuration import check_files, read_file
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
        (b"a: 1\nb: \xe9\n", "x:2: found the byte 0xe9, expected UTF-8 text"),
        ("a: 2020-99-99", "x: not valid YAML"),
    ],
)
def test_refused(text, message):
    with pytest.raises(InputError, match=message) as caught:
        read_yaml(text, "x")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (BOMB.encode(), ": found more than 1,000,000 values"),
        (b'{"a": ' + b"[" * 10**5 + b"]" * 10**5 + b"}", ": nested too deeply"),
        (b"results: r\xe9sultats", ":1: found the byte 0xe9, expected UTF-8 text"),
        ("a: 1".encode("utf-16"), ":1: found the byte 0xff"),
        (b"a: 1\n\tb: 2\n", ":2: not valid YAML"),
        (b"- a", ": found \"['a']\", expected keys and values"),
        (b"# nothing", ": found nothing, expected keys and values"),
        (None, ": no such configuration file"),
    ],
)
def test_configuration_files(data, message, tmp_path):
    file = tmp_path / "own.yaml"
    if data:
        file.write_bytes(data)
    with pytest.raises(InputError, match=f"^{re.escape(f'{file}{message}')}"):
        check_files(["--cores", "2", "--configfile", str(file), "--quiet"])


def test_configuration_files_are_json_or_yaml(tmp_path):
    for text in ('{\n\t"a": {"b": 1}}', "a: {b: 1}", "\ufeffa: {b: 1}"):
        (tmp_path / "own.yaml").write_text(text)
        assert read_file(tmp_path / "own.yaml") == {"a": {"b": 1}}
    check_files(["--configfile", str(tmp_path / "own.yaml"), "-n"])


def test_read():
    assert read_yaml("", "x") == (None, None)
    data, root = read_yaml("base: &base {a: 1}\nmore: {<<: *base, b: 2}\n", "x")
    assert data == {"base": {"a": 1}, "more": {"a": 1, "b": 2}}
    assert [key.start_mark.line for key, _ in root.value] == [0, 1]
