"""Archives that were changed, cut or made up on the way: refused, and nothing of them stays."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from phicli.errors import IntegrityError, NotFoundError
from phicli.hub.archive import importing as archive_import
from phicli.hub.archive.format import MANIFEST
from phicli.hub.archive.importing import import_archive
from phicli.hub.in_place.registry import registered
from tests.support.archived import MODEL, NAME, PHI_4_MINI
from tests.support.cache_layout import photograph
from tests.support.other_programs import phi_4_mini_bytes

Members = list[tuple[tarfile.TarInfo, bytes]]


def unpack(path: Path) -> tuple[dict[str, Any], Members]:
    with tarfile.open(path, "r:") as tar:
        members = [(member, tar.extractfile(member).read()) for member in tar.getmembers()]  # type: ignore[union-attr]
    return json.loads(members[0][1]), members[1:]


def pack(path: Path, manifest: Any, members: Members, *, first: Members = []) -> None:  # noqa: B006
    text = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
    with tarfile.open(path, "w:", format=tarfile.GNU_FORMAT) as tar:
        for info, content in [*first, (tarfile.TarInfo(MANIFEST), text), *members]:
            if info.isreg():
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content) if info.isreg() else None)


def member(name: str, content: bytes = b"x", kind: bytes = tarfile.REGTYPE, link: str = "") -> tuple[Any, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info, content


Change = Callable[[dict[str, Any], Members], Any]


def renamed(name: str) -> Change:
    """The model under another name, in the manifest and in the tar."""

    def change(data: dict[str, Any], members: Members) -> None:
        data["files"][0]["name"] = name
        members[0] = member(f"files/{name.encode('utf-8', 'replace').decode()}", members[0][1])

    return change


def swap(index: int, new: tuple[Any, bytes]) -> Change:
    return lambda data, members: members.__setitem__(index, new)


def setting(key: str, value: Any) -> Change:
    return lambda data, members: data.__setitem__(key, value)


def of_file(key: str, value: Any) -> Change:
    return lambda data, members: data["files"][0].__setitem__(key, value)


def flip(data: dict[str, Any], members: Members) -> None:
    content = bytearray(members[0][1])
    content[len(content) // 2] ^= 1
    members[0] = (members[0][0], bytes(content))


def replaced(content: bytes) -> Change:
    """Another content, with a manifest that agrees with it."""

    def change(data: dict[str, Any], members: Members) -> None:
        data["files"][0] |= {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        members[0] = (members[0][0], content)

    return change


HOSTILE: dict[str, tuple[Change, str]] = {
    "a flipped bit": (flip, "the SHA-256 of"),
    "a name with ..": (renamed("../../../../evil.gguf"), "leads out of its folder"),
    "a name with .. inside": (renamed("a/../../evil.gguf"), "leads out of its folder"),
    "an absolute name": (renamed("/tmp/evil.gguf"), "leads out of its folder"),  # noqa: S108
    "a name for Windows": (renamed("..\\evil.gguf"), "leads out of its folder"),
    "a drive": (renamed("C:evil.gguf"), "leads out of its folder"),
    "a name with a line break": (renamed("a\nb.gguf"), "leads out of its folder"),
    "an endless name": (renamed("a" * 300 + ".gguf"), "leads out of its folder"),
    "a member with ..": (swap(0, member("files/../../evil.gguf", MODEL)), "instead of files/"),
    "an absolute member": (swap(0, member("/etc/evil", MODEL)), "instead of files/"),
    "a symbolic link": (swap(0, member(f"files/{NAME}", kind=tarfile.SYMTYPE, link="/etc/passwd")), "is a link"),
    "a hard link": (swap(0, member(f"files/{NAME}", kind=tarfile.LNKTYPE, link=MANIFEST)), "is a link"),
    "a device": (swap(0, member(f"files/{NAME}", kind=tarfile.CHRTYPE)), "is a device"),
    "a pipe": (swap(0, member(f"files/{NAME}", kind=tarfile.FIFOTYPE)), "is a device"),
    "a folder": (swap(0, member(f"files/{NAME}", kind=tarfile.DIRTYPE)), "not a regular file"),
    "a member twice": (lambda data, members: members.insert(1, members[0]), "instead of files/LICENSE"),
    "a member too many": (lambda data, members: members.append(member("files/more")), "the end of the archive"),
    "a member too few": (lambda data, members: members.pop(), "ends before"),
    "members in another order": (lambda data, members: members.reverse(), "instead of files/"),
    "the same file twice": (lambda data, members: data["files"].append(data["files"][0]), "the same file twice"),
    "a size that is too large": (of_file("size_bytes", 10**15), "it is truncated"),
    "a size that is a little too large": (of_file("size_bytes", len(MODEL) + 1), "instead of"),
    "a size below zero": (of_file("size_bytes", -1), "no valid size"),
    "a size that is no number": (of_file("size_bytes", "12"), "no valid size_bytes"),
    "another hash": (of_file("sha256", "0" * 64), "the SHA-256 of"),
    "a hash that is a path": (of_file("sha256", "../" * 21 + "a"), "no valid size or hash"),
    "too many files": (lambda data, members: data["files"].extend([{}] * 1001), "too many files"),
    "no files": (setting("files", []), "no list of files"),
    "files that are none": (setting("files", [1]), "an entry that is not a file"),
    "a repository with ..": (setting("repo", "../.."), "an invalid repository"),
    "a repository that is a path": (setting("repo", "a/b/c"), "an invalid repository"),
    "a revision that is a path": (setting("revision", "../../x"), "an invalid revision"),
    "a revision that is not a string": (setting("revision", 7), "no valid revision"),
    "half a character in a name": (renamed("\ud800.gguf"), "leads out of its folder"),
    "a quant with colours": (setting("quant", "\x1b[31mQ4"), "no valid quant"),
    "a quant with spaces": (setting("quant", "Q4 K M"), "no valid quant"),
    "a model with colours": (setting("model", "\x1b[31mphi"), "no valid model"),
    "an endless licence": (setting("license", "x" * 10_000), "no valid license"),
    "no revision": (setting("revision", None), "without a revision"),
    "no model first": (lambda data, members: data["files"].reverse(), "a first file that is not a GGUF file"),
    "another format": (setting("format", "zip"), "not written by phi"),
    "a schema to come": (setting("schema", 2), "schema 2"),
    "a text for a model": (replaced(b"hello " * 100), "is not a GGUF file"),
    "another model": (replaced(phi_4_mini_bytes(layers=3)), "is not phi-4-mini"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_changed_archive_is_refused_and_leaves_nothing(packed: Path, tmp_path: Path, home: Path, case: str) -> None:
    change, reason = HOSTILE[case]
    data, members = unpack(packed)
    change(data, members)
    pack(tmp_path / "bad.tar", data, members)
    refused(tmp_path, home, reason)


def refused(tmp_path: Path, home: Path, reason: str) -> None:
    """``bad.tar`` does not get in, into the cache or elsewhere."""
    before = photograph(tmp_path, folders=False)
    with pytest.raises(IntegrityError) as caught:
        import_archive(tmp_path / "bad.tar", folder=tmp_path / "other")
    assert reason in caught.value.message
    assert caught.value.exit_code == 8
    after = photograph(tmp_path, folders=False)
    after.pop("phi/data/imported/.lock", None)
    assert after == before
    assert not (tmp_path / "other").exists()
    assert registered() == ()


def test_the_unchanged_parts_make_a_good_archive(packed: Path, tmp_path: Path) -> None:
    """So what the test above refuses is refused for its change."""
    pack(tmp_path / "good.tar", *unpack(packed))
    assert import_archive(tmp_path / "good.tar", folder=tmp_path / "other").path.read_bytes() == MODEL


def test_the_same_for_a_model_of_no_repository(packed: Path, tmp_path: Path, home: Path) -> None:
    data, members = unpack(packed)
    data |= {"repo": None, "revision": None}
    pack(tmp_path / "bad.tar", data, members)
    done = import_archive(tmp_path / "bad.tar")
    assert done.name == "phi-4-mini-local"
    shutil.rmtree(home)
    flip(data, members)
    pack(tmp_path / "bad.tar", data, members)
    refused(tmp_path, home, "the SHA-256 of")


def test_a_manifest_that_lies_about_a_known_file(packed: Path, tmp_path: Path, home: Path) -> None:
    """Content and manifest agree with each other, but not with what the catalogue knows of that repository."""
    source, file = next(
        (source, file) for source in PHI_4_MINI.sources for file in source.files if file.sha256 and file.size_bytes
    )
    data, members = unpack(packed)
    data |= {"repo": source.repo}
    data["files"][0] |= {"name": file.filename, "size_bytes": file.size_bytes}
    known = archive_import.known_sha256(source.repo, file.filename, file.size_bytes or 0)
    assert known == file.sha256
    manifest = json.dumps(data).encode()
    pack(tmp_path / "bad.tar", manifest, members)
    with (tmp_path / "bad.tar").open("ab") as stream:
        stream.truncate(2 * (file.size_bytes or 0))  # sparse: large enough for what it promises
    with pytest.raises(IntegrityError, match=str(file.sha256)):
        import_archive(tmp_path / "bad.tar", folder=tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("share", [0.0, 0.02, 0.2, 0.5, 0.9, 0.999])
def test_an_archive_that_was_cut(packed: Path, tmp_path: Path, home: Path, share: float) -> None:
    content = packed.read_bytes()
    end = len(content.rstrip(b"\0"))
    (tmp_path / "bad.tar").write_bytes(content[: int(share * end)])
    refused(tmp_path, home, "bad.tar")


def test_an_archive_without_its_end(packed: Path, tmp_path: Path, home: Path) -> None:
    (tmp_path / "bad.tar").write_bytes(packed.read_bytes()[:-1024])
    refused(tmp_path, home, "the end of the archive")


@pytest.mark.parametrize("manifest", [b"{", b"[]", b"[" * 100_000, b"\xff", b" " * 2_000_000, b"null"])
def test_a_manifest_that_is_none(packed: Path, tmp_path: Path, home: Path, manifest: bytes) -> None:
    pack(tmp_path / "bad.tar", manifest, unpack(packed)[1])
    refused(tmp_path, home, MANIFEST)


def test_an_endless_schema_is_not_repeated(packed: Path, tmp_path: Path) -> None:
    data, members = unpack(packed)
    pack(tmp_path / "bad.tar", data | {"schema": "9" * 100_000}, members)
    with pytest.raises(IntegrityError) as caught:
        import_archive(tmp_path / "bad.tar")
    assert len(caught.value.message) < 300


def test_nothing_comes_before_the_manifest(packed: Path, tmp_path: Path, home: Path) -> None:
    data, members = unpack(packed)
    pack(tmp_path / "bad.tar", data, members, first=[member("files/first")])
    refused(tmp_path, home, "instead of phi-archive.json")


@pytest.mark.parametrize(
    "content",
    [b"", b"x" * 5000, bytes(5000), b"PK\3\4" + bytes(5000), MODEL],
    ids=["empty", "text", "0", "zip", "gguf"],
)
def test_what_is_no_archive(tmp_path: Path, home: Path, content: bytes) -> None:
    (tmp_path / "bad.tar").write_bytes(content)
    refused(tmp_path, home, "bad.tar")


def test_a_change_anywhere_in_the_first_head_is_noticed(packed: Path, tmp_path: Path) -> None:
    content = bytearray(packed.read_bytes())
    behind_the_checksum = (154, 155)
    for place in {*range(0, 512, 7), *range(100, 160)} - {*behind_the_checksum}:
        content[place] ^= 0x15
        (tmp_path / "bad.tar").write_bytes(content)
        with pytest.raises(IntegrityError):
            import_archive(tmp_path / "bad.tar", folder=tmp_path / "other")
        content[place] ^= 0x15


def test_a_missing_archive(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        import_archive(tmp_path / "none.tar")
