from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import machine_tree as tree
import pytest
from machine_tree import GIB

from phicli.hardware.memory import available_memory


def numbers(root: Path) -> tuple[float, float]:
    memory = available_memory(root)
    assert memory is not None
    return memory.total_bytes / GIB, memory.available_bytes / GIB


def test_a_machine_without_limits(tmp_path: Path) -> None:
    assert numbers(tree.host(tmp_path)) == (16, 12)
    memory = available_memory(tmp_path)
    assert memory is not None
    assert memory.source == "/proc/meminfo"


def test_this_machine() -> None:
    memory = available_memory()
    assert memory is not None
    assert 0 < memory.available_bytes <= memory.total_bytes


def test_a_v2_container(tmp_path: Path) -> None:
    files = {
        "box/memory.max": f"{4 * GIB}\n",
        "box/memory.current": f"{3 * GIB}\n",
        "box/memory.stat": f"anon 5\ninactive_file {GIB}\nactive_file {GIB}\n",
    }
    root = tree.v2(tree.host(tmp_path), "/box", files)
    assert numbers(root) == (4, 3)
    memory = available_memory(root)
    assert memory is not None
    assert "v2" in memory.source


V1_NAMES = {  # names in memory.stat of version 2 → those of version 1
    "active_file": "total_active_file", "inactive_file": "total_inactive_file", "file_dirty": "total_dirty",
    "file_writeback": "total_writeback", "shmem": "total_shmem", "unevictable": "total_unevictable",
    "anon": "total_rss", "file": "total_cache", "slab_reclaimable": "",
}  # fmt: skip


def limited(root: Path, version: int, limit: float, used: float, **stat: float) -> Path:
    """A group below another one, with a limit, what is used, and what that is, all in GiB."""
    lines = ((name if version == 2 else V1_NAMES[name], int(size * GIB)) for name, size in stat.items())
    text = "".join(f"{name} {size}\n" for name, size in lines if name)
    sizes = [str(int(limit * GIB)), str(int(used * GIB)), text]
    if version == 2:
        names = ("memory.max", "memory.current", "memory.stat")
        return tree.v2(tree.host(root), "/a/b", {f"a/b/{name}": size for name, size in zip(names, sizes, strict=True)})
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat")
    files = {f"a/b/{name}": size for name, size in zip(names, sizes, strict=True)}
    return tree.v1(tree.host(root), "memory", "memory", "/a/b", files)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("stat", "left"),
    [
        ({"file": 3.5, "active_file": 2.5, "inactive_file": 1, "anon": 0.5}, 4.5),
        ({"file": 3.5, "active_file": 0, "inactive_file": 3.5}, 4.5),
        ({"file": 3.5, "active_file": 0.5, "inactive_file": 1, "shmem": 2}, 2.5),
        ({"file": 3.5, "active_file": 0.5, "inactive_file": 1, "unevictable": 2}, 2.5),
        ({"file": 3.5, "active_file": 2.5, "inactive_file": 1, "file_dirty": 1, "file_writeback": 0.5}, 3),
        ({"active_file": 0.25, "inactive_file": 0.25, "file_dirty": 1}, 1),
        ({"active_file": 4, "inactive_file": 4}, 5),
        ({"anon": 4}, 1),
    ],
    ids=["a model that just ran", "inactive", "shared", "locked", "unwritten", "more unwritten", "odd", "programs"],
)
def test_what_the_kernel_gives_back_is_available(
    tmp_path: Path, version: int, stat: dict[str, float], left: float
) -> None:
    """Of 5 GiB, 4 are used: pages of files are given back, but not shared, locked or unwritten ones."""
    assert numbers(limited(tmp_path, version, 5, 4, **stat)) == (5, left)


def test_caches_of_the_kernel_are_given_back_where_they_are_named(tmp_path: Path) -> None:
    stat = {"slab_reclaimable": 0.5, "active_file": 1, "inactive_file": 0}
    assert numbers(limited(tmp_path / "v2", 2, 5, 4, **stat)) == (5, 2.5)
    assert numbers(limited(tmp_path / "v1", 1, 5, 4, **stat)) == (5, 2)


def test_the_third_run_of_a_model_as_recorded(tmp_path: Path) -> None:
    """Linux 6.18, version 1, 5 GiB; a file of 2,489,364,576 bytes was run twice: its pages are active then."""
    stat = (
        "cache 2526044160\nrss 0\nshmem 0\ndirty 24576\nactive_file 2505433088\n"
        f"hierarchical_memory_limit {5 * GIB}\ntotal_cache 2526044160\ntotal_rss 0\ntotal_shmem 0\n"
        "total_mapped_file 0\ntotal_dirty 24576\ntotal_writeback 0\ntotal_inactive_file 20611072\n"
        "total_active_file 2505433088\ntotal_unevictable 0\n"
    )
    files = {"box/memory.limit_in_bytes": f"{5 * GIB}", "box/memory.usage_in_bytes": "2530377728"}
    root = tree.v1(tree.host(tmp_path), "memory", "memory", "/box", files | {"box/memory.stat": stat})
    memory = available_memory(root)
    assert memory is not None
    assert memory.available_bytes == 5 * GIB - (2530377728 - 2505433088 - 20611072 + 24576)


def test_what_other_groups_use_of_a_parents_limit_counts(tmp_path: Path) -> None:
    """In the parent 5 of 6 GiB are used, 2 of them file pages; the own group has a limit of 4 and uses nothing."""
    parent = {"max": f"{6 * GIB}", "current": f"{5 * GIB}", "stat": f"active_file {2 * GIB}\ninactive_file 0\n"}
    own = {"max": f"{4 * GIB}", "current": "0", "stat": ""}
    files = {f"a/memory.{name}": text for name, text in parent.items()}
    files |= {f"a/b/memory.{name}": text for name, text in own.items()}
    root = tree.v2(tree.host(tmp_path), "/a/b", files)
    assert numbers(root) == (4, 3)
    memory = available_memory(root)
    assert memory is not None
    assert memory.source == "container limit (cgroup v2 memory.max of a parent group)"


def test_the_source_names_what_decides(tmp_path: Path) -> None:
    high = {"b/memory.max": f"{8 * GIB}", "b/memory.high": f"{4 * GIB}", "b/memory.current": "0"}
    wide = {"b/memory.max": f"{15 * GIB}", "b/memory.current": "0"}
    for files, source, limited in (
        (high, "container limit (cgroup v2 memory.high)", True),
        (wide | {"b/memory.high": "max"}, "/proc/meminfo", False),
    ):
        memory = available_memory(tree.v2(tree.host(tmp_path), "/b", files))
        assert memory is not None
        assert (memory.source, memory.limited) == (source, limited)


def test_the_cache_of_zfs_is_given_back(tmp_path: Path) -> None:
    """It is no page cache, so that a model that ran would count as used: all but its minimum and what is held."""
    kinds = {"mru_evictable_data": 2, "mru_evictable_metadata": 0, "mfu_evictable_data": 1, "mfu_evictable_metadata": 0}
    for size, least, available in ((8, 1, 7), (3, 2, 5), (1, 2, 4)):
        sizes = {"size": size, "c_min": least, "c_max": 8, **kinds}
        rows = "".join(f"{name:31} 4    {amount * GIB}\n" for name, amount in sizes.items())
        text = "13 1 0x01 147 39984 4133543270 169838953934563\nname                            type data\n" + rows
        tree.write(tree.host(tmp_path, 16, 4), {"proc/spl/kstat/zfs/arcstats": text})
        assert numbers(tmp_path) == (16, available)
    tree.write(tmp_path, {"proc/spl/kstat/zfs/arcstats": "nonsense\nsize 4 x\n\n"})
    assert numbers(tmp_path) == (16, 4)


def test_shared_memory_is_no_cache_on_an_old_kernel(tmp_path: Path) -> None:
    text = "MemTotal: 4194304 kB\nMemFree: 1048576 kB\nBuffers: 0 kB\nCached: 2097152 kB\nShmem: 1048576 kB\n"
    assert numbers(tree.write(tmp_path, {"proc/meminfo": text})) == (4, 2)
    assert numbers(tree.write(tmp_path, {"proc/meminfo": text + "Mlocked: 4194304 kB\n"})) == (4, 1)


def test_the_tightest_level_counts_and_high_is_a_limit(tmp_path: Path) -> None:
    files = {
        "a/memory.max": f"{8 * GIB}",
        "a/memory.current": f"{7 * GIB}",
        "a/memory.stat": "inactive_file 0",
        "a/b/memory.max": "max",
        "a/b/memory.high": f"{5 * GIB}",
        "a/b/memory.current": f"{GIB}",
        "a/b/memory.stat": "",
        "a/b/c/memory.max": "max",
    }
    assert numbers(tree.v2(tree.host(tmp_path), "/a/b/c", files)) == (5, 1)


def test_the_host_can_be_tighter_than_the_container(tmp_path: Path) -> None:
    files = {"box/memory.max": f"{8 * GIB}", "box/memory.current": "0"}
    assert numbers(tree.v2(tree.host(tmp_path, 16, 2), "/box", files)) == (8, 2)


def test_a_limit_above_the_machine_is_none(tmp_path: Path) -> None:
    root = tree.v2(tree.host(tmp_path), "/box", {"box/memory.max": f"{64 * GIB}", "box/memory.current": f"{63 * GIB}"})
    assert numbers(root) == (16, 12)


def test_a_path_that_is_not_to_be_seen_means_the_mount(tmp_path: Path) -> None:
    files = {"memory.max": f"{2 * GIB}", "memory.current": f"{GIB}"}
    for own in ("/kubepods/pod1/abc", "/../../outside", "/"):
        assert numbers(tree.v2(tree.host(tmp_path), own, files)) == (2, 1)


def test_a_mount_of_part_of_the_tree(tmp_path: Path) -> None:
    files = {"memory.max": f"{8 * GIB}", "sub/memory.max": f"{GIB}", "sub/memory.current": "0"}
    assert numbers(tree.v2(tree.host(tmp_path), "/docker/abc/sub", files, mounted="/docker/abc")) == (1, 1)


def test_a_v1_container(tmp_path: Path) -> None:
    files = {
        "docker/abc/memory.limit_in_bytes": f"{4 * GIB}\n",
        "docker/abc/memory.usage_in_bytes": f"{2 * GIB}\n",
        "docker/abc/memory.stat": f"inactive_file 1\ntotal_inactive_file {GIB}\nhierarchical_memory_limit {4 * GIB}\n",
        "docker/memory.limit_in_bytes": "9223372036854771712\n",
        "memory.limit_in_bytes": "9223372036854771712\n",
    }
    root = tree.v1(tree.host(tmp_path), "memory", "memory", "/docker/abc", files)
    assert numbers(root) == (4, 3)
    memory = available_memory(root)
    assert memory is not None
    assert "v1" in memory.source


def test_a_v1_limit_of_levels_that_cannot_be_seen(tmp_path: Path) -> None:
    files = {
        "memory.limit_in_bytes": "9223372036854771712",
        "memory.usage_in_bytes": f"{GIB}",
        "memory.stat": f"hierarchical_memory_limit {3 * GIB}",
    }
    assert numbers(tree.v1(tree.host(tmp_path), "memory", "memory", "/gone", files)) == (3, 2)


def test_a_hybrid_machine_uses_v1_for_memory(tmp_path: Path) -> None:
    files = {"box/memory.limit_in_bytes": f"{2 * GIB}", "box/memory.usage_in_bytes": "0"}
    root = tree.v1(tree.host(tmp_path), "memory", "memory", "/box", files)
    mounts = (root / "proc/self/mountinfo").read_text()
    tree.write(root, {"proc/self/mountinfo": tree.V2_MOUNT.format(root="/") + "\n" + mounts})
    tree.write(root, {"sys/fs/cgroup/memory.max": f"{GIB}", "sys/fs/cgroup/memory.current": "0"})
    assert numbers(root) == (2, 2)


def test_used_more_than_the_limit_leaves_nothing(tmp_path: Path) -> None:
    root = tree.v2(tree.host(tmp_path), "/b", {"b/memory.max": f"{GIB}", "b/memory.current": f"{2 * GIB}"})
    assert numbers(root) == (1, 0)


@pytest.mark.parametrize("garbage", ["", "max", "-1", "lots", "\0\0", "1e9", "1 2"])
def test_garbage_in_a_control_file_is_no_limit(tmp_path: Path, garbage: str) -> None:
    root = tree.v2(tree.host(tmp_path), "/b", {"b/memory.max": garbage, "b/memory.current": garbage})
    assert numbers(root) == (16, 12)


def test_garbage_in_proc(tmp_path: Path) -> None:
    tree.host(tmp_path)
    tree.write(tmp_path, {"proc/self/cgroup": "nonsense\n::\n", "proc/self/mountinfo": "a - b\n\n - \n"})
    assert numbers(tmp_path) == (16, 12)
    tree.write(tmp_path, {"proc/meminfo": "MemTotal: many kB\nx"})
    assert available_memory(tmp_path) is None
    assert available_memory(tmp_path / "nothing") is None


def test_an_old_kernel_without_memavailable(tmp_path: Path) -> None:
    text = "MemTotal: 4194304 kB\nMemFree: 1048576 kB\nBuffers: 0 kB\nCached: 1048576 kB\n"
    assert numbers(tree.write(tmp_path, {"proc/meminfo": text})) == (4, 2)


def test_a_hybrid_machine_whose_memory_is_in_v2(tmp_path: Path) -> None:
    """systemd's hybrid mode with the memory controller handed to the unified hierarchy, which is mounted beside."""
    files = {
        "proc/self/cgroup": "3:cpu,cpuacct:/box\n1:name=systemd:/box\n0::/box\n",
        "proc/self/mountinfo": (
            "35 31 0:32 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
            "36 31 0:33 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
        ),
        "sys/fs/cgroup/unified/box/memory.max": f"{3 * GIB}",
        "sys/fs/cgroup/unified/box/memory.current": f"{GIB}",
    }
    assert numbers(tree.write(tree.host(tmp_path), files)) == (3, 2)


def test_the_tightest_level_of_v1_counts(tmp_path: Path) -> None:
    files = {
        "a/memory.limit_in_bytes": f"{2 * GIB}",
        "a/memory.usage_in_bytes": f"{GIB}",
        "a/b/memory.limit_in_bytes": f"{4 * GIB}",
        "a/b/memory.usage_in_bytes": "0",
    }
    assert numbers(tree.v1(tree.host(tmp_path), "memory", "memory", "/a/b", files)) == (2, 1)


def test_a_v1_controller_without_its_mount_falls_back_to_v2(tmp_path: Path) -> None:
    root = tree.v2(tree.host(tmp_path), "/box", {"box/memory.max": f"{GIB}", "box/memory.current": "0"})
    tree.write(root, {"proc/self/cgroup": "4:memory:/elsewhere\n0::/box\n"})
    assert numbers(root) == (1, 1)


def test_mounts_are_found_where_they_usually_are(tmp_path: Path) -> None:
    """Some sandboxes show no mountinfo."""
    files = {"box/memory.max": f"{2 * GIB}", "box/memory.current": f"{GIB}"}
    root = tree.v2(tree.host(tmp_path), "/box", files)
    (root / "proc/self/mountinfo").unlink()
    assert numbers(root) == (2, 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0\ufffd\x1b[2J: \n:::\n",
        "MemTotal: x kB\nMemAvailable:\n",
        "MemTotal:\n",
        "MemTotal: 0 kB\nMemAvailable: 0 kB\n",
        "MemTotal: -5 kB\n",
        "MemTotal: \u00b2 kB\n",
        f"MemTotal: {'9' * 30} kB\nMemAvailable: {'9' * 30} kB\n",
        f"MemTotal: {'9' * 19} kB\n",
    ],
)
def test_garbage_in_meminfo_is_no_memory_and_a_limit_still_is(tmp_path: Path, text: str) -> None:
    tree.write(tmp_path, {"proc/meminfo": text})
    assert available_memory(tmp_path) is None
    files = {"box/memory.max": f"{4 * GIB}", "box/memory.current": f"{GIB}"}
    assert numbers(tree.v2(tmp_path, "/box", files)) == (4, 3)


def test_less_is_available_than_there_is(tmp_path: Path) -> None:
    tree.write(tmp_path, {"proc/meminfo": "MemTotal: 1048576 kB\nMemAvailable: 99999999 kB\n"})
    assert numbers(tmp_path) == (1, 1)


def test_the_kernels_way_to_say_no_limit_is_none(tmp_path: Path) -> None:
    """Also where the host's own memory is not to be read."""
    files = {"box/memory.limit_in_bytes": "9223372036854771712", "box/memory.usage_in_bytes": "1",
             "box/memory.stat": "hierarchical_memory_limit 9223372036854771712"}  # fmt: skip
    tree.v1(tmp_path, "memory", "memory", "/box", files)
    assert available_memory(tmp_path) is None


@pytest.mark.process
@pytest.mark.parametrize("error", ["PermissionError", "psutil.AccessDenied", "ValueError", "KeyError", "ImportError"])
def test_psutil_in_trouble(tmp_path: Path, error: str) -> None:
    """On a system without /proc; the module in its place is written for the test."""
    package = tmp_path / "psutil"
    fails = "raise ImportError('no compiled part')" if error == "ImportError" else ""
    denied = f"def virtual_memory():\n    raise {error.removeprefix('psutil.')}()\n"
    denied += f"def cpu_count(logical=True):\n    raise {error.removeprefix('psutil.')}()\n"
    head = "class Error(Exception): ...\nclass AccessDenied(Error): ...\n"
    tree.write(package, {"__init__.py": f"{fails}\n{head}{denied}"})
    code = (
        "import sys\nsys.platform = 'freebsd14'\n"
        "from phicli.hardware.cpu import physical_cores\nfrom phicli.hardware.memory import available_memory\n"
        "print(available_memory(), physical_cores() >= 1)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "None True\n"
