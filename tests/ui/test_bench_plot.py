"""The picture of a benchmark: what is drawn, and that nothing is measured for one that cannot be written."""

from __future__ import annotations

import os
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from phicli.errors import DoesNotFitError, UsageError
from phicli.records.run import Run, Workload
from phicli.ui.bench.plot import check_plot, draw
from phicli.ui.bench.plot_series import plot_of
from tests.support.disks import small_file_system
from tests.support.runs import depths, quants, run, threads, without_matplotlib

PNG = b"\x89PNG\r\n\x1a\n"


def texts(path: Path) -> list[str]:
    """What can be read in an SVG."""
    found = ET.fromstring(path.read_bytes()).iter("{http://www.w3.org/2000/svg}text")  # noqa: S314 - our own file
    return ["".join(one.itertext()).strip() for one in found]


def test_by_depth_where_that_varies() -> None:
    plot = plot_of(depths())
    assert plot.kind == "depth"
    assert [panel.title for panel in plot.panels] == ["Prompt processing", "Generating"]
    one, two = plot.panels[1].series
    assert (one.name, two.name) == ("phi-4-mini:q4_k_m", "phi-4-mini-reasoning:q4_k_m")
    assert [point.x for point in one.points] == [0, 1024, 3072]
    assert [point.tps for point in one.points] == pytest.approx([9.8, 8.6, 6.9], rel=1e-3)
    assert all(point.stdev > 0 for point in one.points)


def test_by_threads_where_the_depth_is_one() -> None:
    plot = plot_of(list(reversed(threads())))
    assert plot.kind == "threads"
    one, two = plot.panels[0].series
    assert (one.name, two.name) == ("repack on", "repack off")
    assert plot.common[0].startswith("phi-4-mini:q4_k_m")
    assert [point.x for point in one.points] == [1, 2, 3, 4]


def test_threads_that_vary_beside_the_depth_are_in_the_names() -> None:
    runs = [run(threads=count, workload=Workload(512, 128, depth)) for count in (1, 2) for depth in (0, 512)]
    plot = plot_of(runs)
    assert plot.kind == "depth"
    assert [series.name for series in plot.panels[0].series] == [
        "1 thread",
        "2 threads",
    ]


_TWO_DEPTHS = (Workload(512, 128, 0), Workload(0, 128, 512))


def test_the_length_of_the_prompt_does_not_tear_a_line_of_generating_apart() -> None:
    """``phi bench -d 0,512`` reads the prompt once and generates at both depths."""
    runs = [run(repack=repack, workload=work) for repack in (False, True) for work in _TWO_DEPTHS]
    [panel] = plot_of(runs).panels
    assert panel.title == "Generating"
    assert [(one.name, [point.x for point in one.points]) for one in panel.series] == [
        ("repack off", [0, 512]),
        ("repack on", [0, 512]),
    ]


def test_a_bar_for_each_model_otherwise() -> None:
    plot = plot_of([*quants(), run(quant="Q6_K", complete=False, repeat=2)])
    assert plot.kind == "model"
    assert [len(series.points) for series in plot.panels[1].series] == [1, 1, 1]
    assert plot.panels[1].series[2].name == "phi-4-mini:q6_k"


def test_what_was_not_measured_has_no_panel() -> None:
    (panel,) = plot_of([run(prompt_tps=None, workload=Workload(0, 128, 0))]).panels
    assert panel.title == "Generating"
    assert plot_of([run(repeat=0)]).panels == ()


@pytest.mark.parametrize("make", [quants, depths, threads])
@pytest.mark.parametrize("suffix", [".svg", ".png", ".PNG"])
def test_a_picture_is_drawn_and_drawn_again_the_same(tmp_path: Path, make: object, suffix: str) -> None:
    assert callable(make)
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    draw(make(), first)
    draw(make(), second)
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes().startswith(PNG if suffix.lower() == ".png" else b"<?xml")
    assert set(tmp_path.iterdir()) == {first, second}  # nothing half written is left


def test_text_in_an_svg_is_text_and_tells_no_time(tmp_path: Path) -> None:
    path = tmp_path / "plot.svg"
    draw(quants(), path)
    found = texts(path)
    assert {"phi-4-mini:q4_k_m", "phi-4-mini:q8_0", "Generating", "tokens/s", "5.98"} <= set(found)
    assert any("xllamacpp 2026.10.11549" in text for text in found)
    assert "dc:date" not in path.read_text(encoding="utf-8")


def test_lines_differ_in_more_than_colour(tmp_path: Path) -> None:
    path = tmp_path / "plot.svg"
    draw(depths(), path)
    text = path.read_text(encoding="utf-8")
    assert "stroke-dasharray" in text
    drawn = re.findall(r'<g id="LineCollection_\d+">', text)
    assert len(drawn) == 6  # the error bars of two lines in two panels and beside their names


def test_a_name_is_shown_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "plot.svg"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw([run(r"$\frac{1}{2}$ <b>&amp; 漢字", None), run("a\nb", None), run("\udcff\ufffe\x1b[31m", None)], path)
    assert {r"$\frac{1}{2}$ <b>&amp; 漢字", "a b", "\ufffd\ufffd\ufffd[31m"} <= set(texts(path))


def test_the_settings_of_the_person_for_matplotlib_do_not_count(tmp_path: Path) -> None:
    import matplotlib as mpl

    draw(quants(), tmp_path / "a.svg")
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "black"}):
        draw(quants(), tmp_path / "b.svg")
        assert mpl.rcParams["font.size"] == 30
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


@pytest.mark.parametrize("runs", [[], [run(repeat=0, complete=False)]])
def test_nothing_measured_is_not_drawn(tmp_path: Path, runs: Sequence[Run]) -> None:
    with pytest.raises(UsageError, match="no measurement can be plotted"):
        draw(runs, tmp_path / "plot.svg")
    assert not list(tmp_path.iterdir())


def test_many_series_are_drawn(tmp_path: Path) -> None:
    work = [Workload(512, 128, depth) for depth in range(0, 2048, 128)]
    runs = [run(threads=count, workload=one) for count in range(1, 13) for one in work]
    draw(runs, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 10_000


def test_a_plot_that_can_be_written_leaves_no_trace(tmp_path: Path) -> None:
    there = tmp_path / "there.svg"
    there.write_text("before")
    check_plot(tmp_path / "new.png")
    check_plot(there)
    assert there.read_text() == "before"
    assert list(tmp_path.iterdir()) == [there]


@pytest.mark.parametrize("name", ["plot", "plot.pdf", ".svg", "plot.svg.gz"])
def test_an_unknown_suffix_is_refused(tmp_path: Path, name: str) -> None:
    for refuse in (check_plot, lambda path: draw(quants(), path)):
        with pytest.raises(UsageError) as caught:
            refuse(tmp_path / name)
        assert ".svg or .png" in caught.value.hint


def test_a_path_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.svg").mkdir()
    (tmp_path / "file").touch()
    for path, words in (
        (tmp_path / "nowhere" / "plot.svg", "the folder .* does not exist"),
        (tmp_path / "file" / "plot.svg", "the folder .* does not exist"),
        (tmp_path / "folder.svg", "is a directory"),
        (tmp_path / f"{'x' * 250}.svg", "too long"),
        (tmp_path / "a\0b.svg", "null"),
    ):
        with pytest.raises(UsageError, match=words):
            check_plot(path)


@pytest.mark.skipif(os.name == "nt", reason="no such files on Windows")
@pytest.mark.parametrize("name", ["pipe.svg", "device.svg", "to-folder.svg", "loop.svg", "dangling.svg"])
def test_what_is_no_file_is_refused_and_left_alone(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe.svg")
    for link, target in (("device", os.devnull), ("to-folder", "."), ("loop", "loop.svg"), ("dangling", "no/x.svg")):
        (tmp_path / f"{link}.svg").symlink_to(target)
    before = {path.name: path.lstat().st_ino for path in tmp_path.iterdir()}
    for refuse in (check_plot, lambda path: draw(quants(), path)):
        with pytest.raises(UsageError):
            refuse(tmp_path / name)
    assert {path.name: path.lstat().st_ino for path in tmp_path.iterdir()} == before


@pytest.mark.skipif(os.name == "nt", reason="no links on Windows")
def test_a_link_is_drawn_into_its_target(tmp_path: Path) -> None:
    (tmp_path / "link.svg").symlink_to("plot.svg")
    check_plot(tmp_path / "link.svg")
    draw(quants(), tmp_path / "link.svg")
    assert (tmp_path / "link.svg").is_symlink()
    assert "phi-4-mini:q8_0" in texts(tmp_path / "plot.svg")


@pytest.mark.process
def test_a_full_disk_leaves_the_old_one_and_nothing_half(tmp_path: Path) -> None:
    with small_file_system(tmp_path / "disk", "size=32k") as disk:
        (disk / "filler").write_bytes(b"x" * 20_480)
        (disk / "plot.png").write_bytes(b"before")
        with pytest.raises(DoesNotFitError, match="the plot was not written"):
            draw(quants(), disk / "plot.png")
        assert (disk / "plot.png").read_bytes() == b"before"
        assert len(list(disk.iterdir())) == 2


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions do not stop this user")
def test_a_file_that_is_write_protected_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plot.svg").touch(mode=0o400)
    with pytest.raises(UsageError, match="write-protected"):
        check_plot(tmp_path / "plot.svg")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions do not stop this user")
def test_a_folder_that_takes_no_file_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="permission denied"):
        check_plot(tmp_path / "plot.svg")


def test_without_matplotlib_the_hint_is_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_matplotlib(monkeypatch)
    for refuse in (check_plot, lambda path: draw(quants(), path)):
        with pytest.raises(UsageError) as caught:
            refuse(tmp_path / "plot.svg")
        assert 'pip install ".[plot]"' in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_a_plot_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "plot.svg"
    path.write_text("before")
    with pytest.raises(UsageError):
        draw([replace(run(), samples=())], path)
    assert path.read_text() == "before"
