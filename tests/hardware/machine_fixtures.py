"""Machines as their ``/proc``, ``/sys`` and commands show them, shortened but in the true format."""

from __future__ import annotations

from pathlib import Path

import machine_tree as tree

X86_FLAGS = "fpu vme sse sse2 ht syscall nx pni ssse3 fma cx16 sse4_1 sse4_2 avx f16c rdrand avx2 bmi2"
INTEL_HYBRID = f"""processor	: 0
vendor_id	: GenuineIntel
cpu family	: 6
model		: 154
model name	: 12th Gen Intel(R) Core(TM) i7-1260P
cpu MHz		: 1100.512
cache size	: 18432 KB
flags		: {X86_FLAGS} avx_vnni
bogomips	: 4992.00

processor	: 1
model name	: 12th Gen Intel(R) Core(TM) i7-1260P
cpu MHz		: 400.000
"""
XEON = f"""processor	: 0
model name	: Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz
cpu MHz		: 2593.905
flags		: {X86_FLAGS} avx512f avx512_vnni amx_int8
"""
PI_5 = """processor	: 0
BogoMIPS	: 108.00
Features	: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU implementer	: 0x41
CPU architecture: 8
CPU variant	: 0x4
CPU part	: 0xd0b
CPU revision	: 1

Revision	: d04170
Serial		: 0123456789abcdef
Model		: Raspberry Pi 5 Model B Rev 1.0
"""
OS_RELEASE = 'PRETTY_NAME="Ubuntu 24.04.1 LTS"\nNAME="Ubuntu"\nVERSION_ID="24.04"\n'
NVIDIA_ONE = "NVIDIA GeForce RTX 3060, 12288, 11867\n"
NVIDIA_TWO = "NVIDIA GeForce RTX 4090, 24564, 24100\nNVIDIA GeForce RTX 3090, 24576, 1200\n"
NVIDIA_BROKEN = (
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. "
    "Make sure that the latest NVIDIA driver is installed and running.\n\n"
)
SYSCTL_M2 = """machdep.cpu.brand_string: Apple M2
hw.memsize: 17179869184
hw.physicalcpu: 8
hw.logicalcpu: 8
hw.l2cachesize: 4194304
hw.perflevel0.l2cachesize: 16777216
hw.optional.arm64: 1
hw.optional.arm.FEAT_DotProd: 1
hw.optional.arm.FEAT_I8MM: 1
hw.optional.arm.FEAT_BF16: 1
hw.optional.arm.FEAT_SME: 0
iogpu.wired_limit_mb: 0
"""
SYSCTL_INTEL_MAC = """machdep.cpu.brand_string: Intel(R) Core(TM) i7-8750H CPU @ 2.20GHz
machdep.cpu.features: FPU SSE SSE2 SSE4.2 AVX1.0 F16C
machdep.cpu.leaf7_features: RDWRFSGS BMI1 AVX2 BMI2
hw.memsize: 17179869184
hw.physicalcpu: 6
hw.logicalcpu: 12
hw.l2cachesize: 262144
hw.l3cachesize: 9437184
hw.cpufrequency_max: 4100000000
"""
VM_STAT = """Mach Virtual Memory Statistics: (page size of 16384 bytes)
Pages free:                               65536.
Pages active:                            300000.
Pages inactive:                          200000.
Pages speculative:                         5000.
Pages throttled:                              0.
Pages wired down:                        110000.
Pages purgeable:                          65536.
"Translation faults":                2000000000.
File-backed pages:                       131072.
Anonymous pages:                         373928.
"""


def linux(root: Path, cpuinfo: str, siblings: list[str], kernel: str = "6.8.0-45-generic") -> Path:
    """A machine with the processors of ``siblings`` and 16 GiB, 12 of them available."""
    tree.cores(tree.host(root), siblings)
    files = {
        "proc/cpuinfo": cpuinfo,
        "proc/sys/kernel/osrelease": kernel + "\n",
        "proc/self/status": f"Name:\tpython\nCpus_allowed:\tff\nCpus_allowed_list:\t0-{len(siblings) - 1}\n",
        "etc/os-release": OS_RELEASE,
    }
    return tree.write(root, files)


def caches(root: Path, levels: dict[int, str], shared: list[str]) -> Path:
    """Caches by level, the same for all; the highest level is shared by the processors in each of ``shared``."""
    for number in range(len(shared)):
        for index, (level, size) in enumerate(levels.items()):
            seen_by = shared[number] if level == max(levels) else str(number)
            folder = f"sys/devices/system/cpu/cpu{number}/cache/index{index}"
            facts = {"level": f"{level}", "size": size, "type": "Unified", "shared_cpu_list": seen_by}
            tree.write(root, {f"{folder}/{name}": text + "\n" for name, text in facts.items()})
    return root


def laptop(root: Path) -> Path:
    """An Intel hybrid: two fast cores of two threads, four slow ones, one shared cache, graphics inside."""
    linux(root, INTEL_HYBRID, ["0-1", "0-1", "2-3", "2-3", "4", "5", "6", "7"])
    caches(root, {1: "48K", 2: "1280K", 3: "18432K"}, ["0-7"] * 8)
    khz = "sys/devices/system/cpu/cpu{}/cpufreq/cpuinfo_max_freq"
    tree.write(root, {khz.format(number): "4700000\n" if number < 4 else "3400000\n" for number in range(8)})
    return card(root, 0, "0x8086", {"device": "0x46a6", "uevent": "DRIVER=i915\nPCI_SLOT_NAME=0000:00:02.0\n"})


def server(root: Path) -> Path:
    """Two sockets of two cores of two threads, a cache for each."""
    linux(root, XEON, ["0,4", "1,5", "2,6", "3,7", "0,4", "1,5", "2,6", "3,7"])
    sockets = ["0-1,4-5", "0-1,4-5", "2-3,6-7", "2-3,6-7"] * 2
    caches(root, {2: "1280K", 3: "49152K"}, sockets)
    return card(root, 0, "0x1a03", {})  # the screen of the maintenance controller is no GPU


def raspberry_pi(root: Path) -> Path:
    """A Raspberry Pi 5, which keeps its caches to itself and has a render node without a PCI maker."""
    linux(root, PI_5, ["0", "1", "2", "3"], "6.6.51+rpt-rpi-2712")
    return tree.write(root, {"proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0", "dev/dri/renderD128": ""})


def wsl(root: Path) -> Path:
    """Ubuntu under Windows, with the driver's door to the graphics of Windows."""
    linux(root, INTEL_HYBRID, ["0", "1"], "5.15.153.1-microsoft-standard-WSL2")
    return tree.write(root, {"dev/dxg": "", "run/systemd/container": "wsl\n"})


def card(root: Path, number: int, vendor: str, files: dict[str, str]) -> Path:
    """A device in ``/sys/class/drm`` with a connector beside it."""
    folder = f"sys/class/drm/card{number}"
    tree.write(root, {f"{folder}/device/vendor": vendor + "\n", f"{folder}-HDMI-A-1/status": "connected\n"})
    return tree.write(root, {f"{folder}/device/{name}": text + "\n" for name, text in files.items()})


def amd_card(root: Path, number: int = 0, total_gib: float = 16, used_gib: float = 1) -> Path:
    """A card with memory of its own as the amdgpu driver shows it."""
    sizes = {"mem_info_vram_total": f"{int(total_gib * tree.GIB)}", "mem_info_vram_used": f"{int(used_gib * tree.GIB)}"}
    return card(root, number, "0x1002", {"device": "0x744c", "uevent": "DRIVER=amdgpu", **sizes})


def garbage(root: Path) -> Path:
    """Every file there is, and none of them makes sense."""
    noise = "\0\x01 : = ,,, -1 \xff\n::\n[]\n99999999999999999999\n"
    names = ["proc/cpuinfo", "proc/meminfo", "proc/self/cgroup", "proc/self/mountinfo", "proc/self/status"]
    names += ["proc/sys/kernel/osrelease", "etc/os-release", "run/systemd/container", "proc/device-tree/model"]
    names += ["sys/devices/system/cpu/present", "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq"]
    names += [f"sys/devices/system/cpu/cpu0/cache/index0/{name}" for name in ("level", "size", "type")]
    names += ["sys/devices/system/cpu/cpu0/topology/core_cpus_list", "sys/fs/cgroup/memory.max"]
    tree.write(root, dict.fromkeys(names, noise))
    files = ("device", "uevent", "mem_info_vram_total", "mem_info_vram_used", "product_name")
    return card(root, 0, "0x1002", dict.fromkeys(files, noise))
