"""A split is seeded, keeps together what belongs together, and writes both files or none."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from phicli.errors import CheckFailedError, DoesNotFitError, UsageError
from phicli.training_data.outputs import Outputs
from phicli.training_data.source import Source
from phicli.training_data.split_result import Split
from phicli.training_data.splitting import SplitOptions, read_amount, split
from tests.support.disks import small_file_system
from tests.support.interrupted import as_soon_as_made
from tests.training_data.examples import GOOD, line, numbered


def split_in(folder: Path, data: bytes, *, force: bool = False, pipe: bool = False, **options: Any) -> Split:
    source = Source("x.jsonl", io.BytesIO(data), None if pipe else len(data))
    return split(source, folder / "t.jsonl", folder / "v.jsonl", SplitOptions(**options), force=force)


def sides(folder: Path) -> tuple[list[bytes], list[bytes]]:
    return (folder / "t.jsonl").read_bytes().splitlines(True), (folder / "v.jsonl").read_bytes().splitlines(True)


@pytest.mark.parametrize("number", [0, 1])
def test_an_interruption_as_soon_as_a_file_is_there_leaves_none(tmp_path: Path, number: int) -> None:
    names = ("t.jsonl", "v.jsonl")
    outputs = Outputs([tmp_path / name for name in names], force=False)
    with as_soon_as_made(tmp_path, f".{names[number]}.*"), outputs:
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("pipe", [False, True])
def test_every_line_is_on_one_side_in_its_order(tmp_path: Path, pipe: bool) -> None:
    lines = numbered(200)
    made = split_in(tmp_path, b"".join(lines)[:-1], share=0.1, pipe=pipe)
    training, validation = sides(tmp_path)
    assert (made.training.examples, made.validation.examples) == (180, 20) == (len(training), len(validation))
    assert sorted(training + validation) == sorted(lines)
    assert training == [one for one in lines if one in set(training)]
    assert made.validation.bytes == sum(map(len, validation))


def test_a_seed_makes_the_split_whatever_the_order_of_the_lines(tmp_path: Path) -> None:
    found = []
    for number, (seed, lines) in enumerate([(1, numbered(100)), (1, numbered(100)[::-1]), (2, numbered(100))]):
        folder = tmp_path / str(number)
        folder.mkdir()
        split_in(folder, b"".join(lines), count=30, share=None, seed=seed)
        found.append(set(sides(folder)[1]))
    assert found[0] == found[1] != found[2]
    assert len(found[0]) == 30


def test_equal_examples_stay_on_one_side(tmp_path: Path) -> None:
    lines = [one for number in range(60) for one in numbered(1, number) * (1 + number % 3)]
    for seed in range(5):
        split_in(tmp_path, b"".join(lines), share=0.3, seed=seed, force=True)
        training, validation = sides(tmp_path)
        assert not set(training) & set(validation)
        assert Counter(training) + Counter(validation) == Counter(lines)


def test_groups_stay_together_and_with_equal_examples(tmp_path: Path) -> None:
    examples = [{**json.loads(one), "who": f"p{number % 17}"} for number, one in enumerate(numbered(170))]
    examples += [{**examples[0], "who": "p1"}, {**GOOD, "who": "p2"}, {**GOOD, "who": "p3"}]
    for seed in range(5):
        split_in(tmp_path, b"".join(map(line, examples)), share=0.3, seed=seed, group_by="who", force=True)
        training, validation = ({json.loads(one)["who"] for one in side} for side in sides(tmp_path))
        assert not training & validation
        assert training
        assert validation
        for one, other in [("p0", "p1"), ("p2", "p3")]:
            assert {one, other} <= training or {one, other} <= validation


def test_groups_that_do_not_add_up_are_said(tmp_path: Path) -> None:
    lines = [*numbered(1) * 50, *numbered(1, 1) * 50, *numbered(1, 2) * 50]
    made = split_in(tmp_path, b"".join(lines), share=None, count=10)
    assert (made.training.examples, made.validation.examples, made.groups) == (100, 50, 3)
    assert made.notes == ("50 examples for validation, not 10: groups and equal examples stay together",)


def test_a_byte_order_mark_and_windows_line_ends_stay(tmp_path: Path) -> None:
    data = b"\xef\xbb\xbf" + b"".join(one.replace(b"\n", b"\r\n") for one in numbered(20)) + b"\r\n"
    made = split_in(tmp_path, data)
    training, validation = sides(tmp_path)
    assert training[0].startswith(b"\xef\xbb\xbf{")
    assert validation[0].startswith(b"\xef\xbb\xbf{")
    assert all(one.endswith(b"\r\n") for one in [*training, *validation])
    assert made.notes == ("1 empty line left out",)


@pytest.mark.parametrize(
    ("data", "options", "says"),
    [
        (b"".join(numbered(3)) + b"{]\n", {}, r"x.jsonl:4, column 2: not JSON"),
        (b"".join(numbered(3)) + b"[]\n", {}, "x.jsonl:4: the line is not an object"),
        (b"".join(numbered(1)), {}, "nothing to split: 1 example"),
        (b"", {}, "nothing to split: 0 examples"),
        (b"".join(numbered(1) * 5), {}, "all examples are equal"),
    ],
)
def test_what_cannot_be_split(tmp_path: Path, data: bytes, options: dict[str, Any], says: str) -> None:
    with pytest.raises(CheckFailedError, match=says):
        split_in(tmp_path, data, **options)
    assert not list(tmp_path.iterdir())


def test_a_key_that_is_not_there_is_answered_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no key 'topic'") as caught:
        split_in(tmp_path, b'{"messages": [], "who": "a"}\n' * 3, group_by="topic")
    assert caught.value.hint == "name one that all lines have, such as: messages, who"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"group_by": "who"}, "x.jsonl:1: there is no key 'who'"),
        ({"share": None, "count": 3}, "leave none for training"),
    ],
)
def test_options_that_the_data_does_not_suit(tmp_path: Path, options: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        split_in(tmp_path, b"".join(numbered(3)), **options)
    assert not list(tmp_path.iterdir())


def test_existing_files_are_only_replaced_with_force(tmp_path: Path) -> None:
    (tmp_path / "v.jsonl").write_bytes(b"mine")
    with pytest.raises(UsageError, match="already exists"):
        split_in(tmp_path, b"".join(numbered(20)))
    assert [path.name for path in tmp_path.iterdir()] == ["v.jsonl"]
    assert (tmp_path / "v.jsonl").read_bytes() == b"mine"
    split_in(tmp_path, b"".join(numbered(20)), force=True)
    assert len(sides(tmp_path)[1]) == 2


def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]

    def interrupted() -> None:
        with Outputs(paths, force=False) as outputs:
            outputs.write(0, b"x" * 1_000_000)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not list(tmp_path.iterdir())


@pytest.mark.process
def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    with small_file_system(tmp_path / "disk", "size=256k") as disk:
        (disk / "t.jsonl").write_bytes(b"before")
        with pytest.raises(DoesNotFitError, match=r"the disk of .*\.jsonl is full"):
            split_in(disk, b"".join(numbered(20_000)), force=True)
        assert [(path.name, path.read_bytes()) for path in disk.iterdir()] == [("t.jsonl", b"before")]


@pytest.mark.parametrize(
    ("typed", "amount"), [("0.1", (0.1, None)), ("10%", (0.1, None)), ("200", (None, 200)), (" .5 ", (0.5, None))]
)
def test_a_share_or_a_number(typed: str, amount: tuple[float | None, int | None]) -> None:
    assert read_amount(typed) == amount


@pytest.mark.parametrize("typed", ["0", "1.0", "-3", "x", "110%", "nan", ""])
def test_what_is_neither(typed: str) -> None:
    with pytest.raises(UsageError, match="neither a share nor a number"):
        read_amount(typed)
