"""The programs that a build needs: the compiler of this system, cmake, ninja, and pip in a temporary environment."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from phicli.errors import EngineError, IntegrityError, NetworkError, NotFoundError, PhiError, disk_full
from phicli.kernels.children import Ended, run
from phicli.kernels.watch import Watch

_OS_RELEASE: Final = (Path("/etc/os-release"), Path("/usr/lib/os-release"))
_COMPILERS: Final = ("c++", "g++", "clang++")
_CMAKE: Final = (3, 18)
"""The oldest cmake that links the objects of one library into another the way ``CMakeLists.txt`` here does."""
_LIMIT_S: Final = 60.0
_PIP_BYTES: Final = 32 << 20
"""What an environment with pip takes on the disk."""
_INSTALLERS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "debian": ("sudo apt install", "g++"), "ubuntu": ("sudo apt install", "g++"),
        "fedora": ("sudo dnf install", "gcc-c++"), "rhel": ("sudo dnf install", "gcc-c++"),
        "suse": ("sudo zypper install", "gcc-c++"), "opensuse": ("sudo zypper install", "gcc-c++"),
        "arch": ("sudo pacman -S", "gcc"), "alpine": ("sudo apk add", "g++"),
    }
)  # fmt: skip
"""A word of ``ID`` or ``ID_LIKE`` in os-release → how packages are installed, and the one with a C++ compiler."""
_NINJA_PACKAGE: Final = {"sudo apt install": "ninja-build", "sudo dnf install": "ninja-build"}
_UNREACHABLE: Final = re.compile(
    r"connection broken by|Could not fetch URL (?!.*\b404\b)|ConnectTimeout|Max retries exceeded|ProxyError|SSLError|"
    r"Network is unreachable|Temporary failure in name resolution|HTTP error (?!404)|Read timed out"
)
_ANOTHER_WAY: Final = (
    "or download them on another machine (pip download --no-deps --no-binary xllamacpp xllamacpp==VERSION) and run "
    "here: phi engine build --sdist FILE"
)


@dataclass(frozen=True, slots=True)
class Tools:
    """The programs that compile; each is a path or a name on PATH."""

    cmake: str
    ninja: str


def compiler() -> list[str]:
    """The command of the C++ compiler: that of the variable ``CXX``, else the first on PATH.

    Raises:
        NotFoundError: there is none; the hint installs one on this system.
    """
    given = os.environ.get("CXX", "").strip()
    words = shlex.split(given) if given else [name for name in _COMPILERS if shutil.which(name)][:1]
    if words and shutil.which(words[0]):
        return words
    if given:
        raise NotFoundError(f"the compiler in CXX was not found: {given}", "correct CXX, or unset it")
    raise NotFoundError("no C++ compiler was found", f"install one: {install_command('compiler')}")


def accepts(command: Sequence[str], flags: Sequence[str]) -> bool:
    """Whether the C++ compiler ``command`` knows all of ``flags``."""
    return run([*command, *flags, "-x", "c++", "-fsyntax-only", os.devnull], limit_s=_LIMIT_S).code == 0


def compiler_variables() -> dict[str, str]:
    """The C compiler that belongs to the one in ``CXX``, where ``CC`` names none: both link the same libraries."""
    given = os.environ.get("CXX", "").strip()
    if not given or os.environ.get("CC", "").strip():
        return {}
    name = shlex.split(given)[0]
    partner = name.replace("clang++", "clang").replace("g++", "gcc")
    return {"CC": partner} if partner != name and shutil.which(partner) else {}


def install_command(what: str, places: Sequence[Path] = _OS_RELEASE, platform: str = sys.platform) -> str:
    """The command that installs a ``compiler``, or ``cmake`` with ninja, on this system.

    Args:
        what: one of the two.
        places: where os-release is looked for.
        platform: ``sys.platform`` of the machine.
    """
    if platform == "darwin":
        return "xcode-select --install" if what == "compiler" else "brew install cmake ninja"
    for word in _distribution(places):
        if word in _INSTALLERS:
            command, package = _INSTALLERS[word]
            tools = f"cmake {_NINJA_PACKAGE.get(command, 'ninja')}"
            return f"{command} {package if what == 'compiler' else tools}"
    return f"use the package manager of this system for {'g++ or clang++' if what == 'compiler' else 'cmake and ninja'}"


def _distribution(places: Sequence[Path]) -> list[str]:
    """The words of ``ID`` and ``ID_LIKE``, in this order; none where there is no os-release."""
    for place in places:
        try:
            text = place.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        values = dict(line.partition("=")[::2] for line in text.splitlines() if "=" in line)
        words = f"{values.get('ID', '')} {values.get('ID_LIKE', '')}".replace('"', " ").replace("'", " ").split()
        return [word.partition("-")[0] if word.startswith("opensuse") else word for word in words]
    return []


class PipEnvironment:
    """A virtual environment with its own pip, made in ``folder`` when it is first needed.

    pip uses the settings of the person: indexes, proxies, certificates and credentials.
    """

    def __init__(self, folder: Path, watch: Watch) -> None:
        self._folder = folder / "environment"
        self._temporary = folder
        self._watch = watch
        self._made = False

    @property
    def programs(self) -> Path:
        """Where the programs of installed packages are."""
        return self._folder / "bin"

    def download(self, package: str, version: str, target: Path) -> None:
        """Download the source archive of ``package`` in exactly this ``version`` to the folder ``target``.

        Raises:
            PhiError: as :meth:`_pip`.
        """
        wish = f"{package}=={version}"
        self._pip(
            ["download", "--no-deps", "--no-binary", package, "--dest", str(target), wish],
            f"the sources of {package} {version}", f"downloading the sources of {package} {version}",
        )  # fmt: skip

    def install(self, packages: Sequence[str]) -> None:
        """Install the wheels of ``packages``.

        Raises:
            PhiError: as :meth:`_pip`.
        """
        names = ",".join(packages)
        what = " and ".join(packages)
        self._pip(["install", "--only-binary", names, *packages], what, f"downloading {what}")

    def _pip(self, arguments: Sequence[str], what: str, phase: str) -> None:
        """Run pip for ``what``.

        Raises:
            NetworkError: the index cannot be reached, or pip failed.
            NotFoundError: the index does not have it, or this Python cannot make an environment.
            IntegrityError: the download does not have the hash in the index.
            DoesNotFitError: the disk is full.
            EngineError: the environment cannot be made.
        """
        self._make()
        self._watch.phase(phase)
        first, *rest = arguments
        options = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off", "-vv"]
        command: list[str | Path] = [self.programs / "python", "-m", "pip", first, *options, *rest]
        ended = run(command, on_line=lambda _: self._watch.phase(phase), environment=self._variables())
        if ended.code:
            raise pip_failure(ended, what)

    def _make(self) -> None:
        if self._made:
            return
        self._watch.phase("preparing pip")
        ended = run([sys.executable, "-m", "venv", self._folder], environment=self._variables())
        if ended.code:
            if shutil.disk_usage(self._temporary).free < _PIP_BYTES:
                raise disk_full(self._temporary, "free some space, or set TMPDIR to a folder on another disk")
            raise NotFoundError(
                "this Python cannot create the virtual environment with pip that downloads the sources",
                f"install the package that has Python's venv, e.g. sudo apt install python3-venv; {_ANOTHER_WAY}",
            )
        self._made = True

    def _variables(self) -> dict[str, str]:
        """All temporary files go into the folder that the build removes."""
        return {"TMPDIR": str(self._temporary), "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}


def pip_failure(ended: Ended, what: str) -> PhiError:
    """The error for a failed download of ``what`` by pip."""
    errors = [line.removeprefix("ERROR:").strip() for line in ended.lines if line.startswith("ERROR:")]
    if _says(ended, "No space left on device"):
        return disk_full(
            after=f": pip could not download {what}", hint="free some space, or set TMPDIR to another disk"
        )
    if _says(ended, "DO NOT MATCH THE HASHES"):
        return IntegrityError(f"the download of {what} does not have the expected hash", "run the command again later")
    unreachable = next((line for line in ended.lines if _UNREACHABLE.search(line)), None)
    if unreachable is not None:
        return NetworkError(
            f"the package index cannot be reached for {what}",
            f"check the network connection and the settings of pip (pip config list), {_ANOTHER_WAY}",
            data={"pip": unreachable},
        )
    if any("No matching distribution" in line or "Could not find a version" in line for line in errors):
        return NotFoundError(
            f"the package index does not have {what}", f"check the settings of pip (pip config list), {_ANOTHER_WAY}"
        )
    reason = errors[-1] if errors else next((line for line in reversed(ended.lines) if line.strip()), ended.how)
    return NetworkError(f"pip could not download {what}: {reason}", f"run the command again, {_ANOTHER_WAY}")


def build_tools(pip: PipEnvironment) -> Tools:
    """cmake and ninja: those on PATH, and what is missing there as wheels from the package index.

    Raises:
        PhiError: they are not on PATH, and pip cannot install them either; the hint installs them on this system.
    """
    found = {"cmake": _usable("cmake", _CMAKE), "ninja": _usable("ninja", ())}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        try:
            pip.install(missing)
        except (NotFoundError, NetworkError, EngineError) as error:
            message = f"{' and '.join(missing)} not found on PATH, and {error.message}"
            raise type(error)(message, f"install both: {install_command('cmake')}") from error
        found |= {name: str(pip.programs / name) for name in missing}
    return Tools(str(found["cmake"]), str(found["ninja"]))


def _usable(name: str, least: tuple[int, ...]) -> str | None:
    """The program ``name`` on PATH; None where there is none that runs and is new enough."""
    path = shutil.which(name)
    if path is None:
        return None
    ended = run([path, "--version"], limit_s=_LIMIT_S)
    number = re.search(r"(\d+)\.(\d+)", "\n".join(ended.lines))
    if ended.code or number is None or (int(number[1]), int(number[2])) < least:
        return None
    return path


def _says(ended: Ended, text: str) -> bool:
    return any(text in line for line in ended.lines)
