"""Writes the files that are made from others: the catalog in JSON, completions, help pages, the tables of settings and
of products behind remotes, the README's pictures, and the reference for the trial of native kernels.

``python .ci/generate.py`` writes them, ``--check`` compares and exits with 1 on a difference.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path

from phicli.commands import GROUPS, SUMMARIES
from phicli.remotes.kinds import KINDS, Kind

ROOT = Path(__file__).resolve().parents[1]
SHELLS = {"bash": "phi.bash", "zsh": "_phi", "fish": "phi.fish", "powershell": "phi.ps1"}
REFERENCE = ROOT / "docs" / "reference"
CATALOG = ROOT / "phicli" / "catalog" / "catalog.toml"
REFERENCE_PLACES = {
    "name-zoë": (0, 3),
    "reasoning-7": (0, 9),
    "unicode-2": (1,),
    "unseen-2": (0,),
    "dialogue-3": (0, 4),
}
"""Prompts of tiny-phi's reference, on both sides of its original context, and the places in their answers."""


def run_phi(*arguments: str, **environment: str) -> str:
    """What ``phi`` prints, at a fixed width and without what the caller's environment would change."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PHI_", "_PHI", "COLUMNS"))}
    done = subprocess.run(
        [sys.executable, "-m", "phicli", *arguments],
        env={**kept, "COLUMNS": "100", "TERMINAL_WIDTH": "100", **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines()) + "\n"


def catalog() -> dict[Path, str]:
    """Path to text of the catalog as the program reads it."""
    data = tomllib.loads(CATALOG.read_text(encoding="utf-8"))
    return {CATALOG.with_suffix(".json"): json.dumps(data, ensure_ascii=False, indent=1) + "\n"}


def write(files: dict[Path, str]) -> None:
    """Write each text to its path."""
    for path, text in files.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")


def stale(files: dict[Path, str]) -> dict[Path, str]:
    """Those of ``files`` that have another text."""
    return {path: text for path, text in files.items() if not path.exists() or path.read_text(encoding="utf-8") != text}


def completions() -> dict[Path, str]:
    """Path to text of each shell's completion file."""
    return {
        ROOT / "completions" / name: run_phi(
            _PHI_COMPLETE=f"source_{shell}", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1"
        )
        for shell, name in SHELLS.items()
    }


def pages() -> list[str]:
    """All command lines that have a help page: ``phi``, ``phi cache``, ``phi cache list`` and so on."""
    inner = {name: [f"phi {name}", *(f"phi {name} {word}" for word in GROUPS.get(name, ()))] for name in SUMMARIES}
    return ["phi", *(page for name in SUMMARIES for page in inner[name])]


def reference() -> dict[Path, str]:
    """Path to text of each page in ``docs/reference``: one for each command of ``phi``, with the commands in it."""
    made: dict[Path, list[str]] = {}
    for page in pages():
        name = "-".join(page.split()[:2])
        text = made.setdefault(REFERENCE / f"{name}.md", [f"# {name.replace('-', ' ', 1)}"])
        heading = [f"## {page}"] if len(page.split()) > 2 else []
        text += [*heading, f"```text\n$ {page} --help\n{run_phi(*page.split()[1:], '--help')}```"]
    commands = [
        f"- [`{name.replace('-', ' ', 1)}`]({name}.md)" for name in (path.stem for path in made) if name != "phi"
    ]
    made[REFERENCE / "phi.md"] += ["\n".join(commands)]
    end = "This page shows what the command prints. `python .ci/generate.py` generates it."
    return {path: "\n\n".join([*text, end]) + "\n" for path, text in made.items()}


def settings() -> str:
    """``docs/settings.md`` with its table renewed."""
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as empty:
        rows = json.loads(run_phi("config", "list", "--all", "--json", PHI_HOME=empty))["data"]["settings"]
    lines = ["| key | option | variable | default | meaning |", "|---|---|---|---|---|"]
    for row in rows:
        default = "" if row["default"] is None else f"`{json.dumps(row['default']).strip(chr(34))}`"
        cells = [f"`{row['key']}`", f"`{row['option']}`", f"`{row['variable']}`", default, row["help"]]
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    begin, end = "<!-- table of settings -->", "<!-- end of table -->"
    before, _, rest = text.partition(begin)
    return "\n".join([before + begin, *lines, end]) + rest.partition(end)[2]


def remotes() -> str:
    """``docs/remotes.md`` with its two tables of products renewed."""
    text = (ROOT / "docs" / "remotes.md").read_text(encoding="utf-8")
    for name, rows in (("products", kind_rows()), ("sources", source_rows())):
        lines = [f"| {' | '.join(row)} |" for row in rows]
        lines.insert(1, "|---" * len(rows[0]) + "|")
        begin, end = f"<!-- table of {name} -->", "<!-- end of table -->"
        before, _, rest = text.partition(begin)
        text = "\n".join([before + begin, *lines, end]) + rest.partition(end)[2]
    return text


def source_rows() -> list[list[str]]:
    """Where the facts of each product are from, the heads first."""
    heads = ["kind", "product", "read from", "in", "remark"]
    return [heads, *([f"`{one.name}`", one.title, one.documented, one.as_of, one.remark] for one in KINDS.values())]


def kind_rows() -> list[list[str]]:
    """What each product takes, the heads first: a column for each product; fields that all treat alike share a row."""
    kinds = list(KINDS.values())

    def row(label: str, of: Callable[[Kind], str]) -> list[str]:
        return [label, *map(of, kinds)]

    rows = [
        row("", lambda kind: f"`{kind.name}`"),
        row("tried", lambda kind: _yes(kind.tried)),
        row("limit of an answer", lambda kind: f"`{kind.limit_field}`"),
        row("tool choice besides `auto`", lambda kind: ", ".join(sorted(kind.tool_choice)) or "no"),
        row("`parallel_tool_calls`", lambda kind: _yes(kind.parallel_tool_calls)),
        row("JSON schema", lambda kind: _yes(kind.schema)),
        row("other forms", lambda kind: ", ".join(kind.grammar) or "no"),
        row("seed", lambda kind: _yes(kind.seed)),
        row("log-probabilities", lambda kind: _yes(kind.logprobs)),
    ]
    alike: dict[tuple[str, ...], list[str]] = {}
    for name in KINDS["phi"].sampling:
        alike.setdefault(tuple(_field(kind, name) for kind in kinds), []).append(f"`{name}`")
    rows += [[", ".join(names), *cells] for cells, names in alike.items()]
    return [
        *rows,
        row("texts in `stop`", lambda kind: str(kind.most_stop_texts or "any number")),
        row("reasoning in", lambda kind: ", ".join(f"`{one}`" for one in kind.reasoning_fields) or "the text"),
        row("usage in a stream", lambda kind: _yes(kind.usage_option)),
        row("requests at a time, unless set", lambda kind: str(kind.parallel)),
    ]


def _yes(taken: bool) -> str:
    return "yes" if taken else "no"


def _field(kind: Kind, name: str) -> str:
    field = kind.sampling.get(name)
    return "no" if field is None else "yes" if field == name else f"`{field}`"


def kernels_reference() -> str:
    """``phicli/kernels/reference.json``: of the reference of the tests, a few prompts and what comes next."""
    text = (ROOT / "tests" / "data" / "tiny_phi_reference.json").read_text(encoding="utf-8")
    prompts = [
        {
            "id": prompt["id"],
            "context_tokens": prompt["context_tokens"],
            "prompt": prompt["prompt"] + prompt["output"][:place],
            "log_probabilities": prompt["top"][place],
        }
        for prompt in json.loads(text)["prompts"]
        for place in REFERENCE_PLACES.get(prompt["id"], ())
        if prompt["whole"][place]
    ]
    return json.dumps({"prompts": prompts}, ensure_ascii=False) + "\n"


def pictures() -> dict[Path, str]:
    """Path to text of each picture; none on Windows, where no pseudo-terminal can be had."""
    if sys.platform == "win32":
        return {}
    sys.path.insert(0, str(ROOT / "docs" / "demo"))
    import record  # noqa: PLC0415 (it needs a pseudo-terminal)

    return dict(record.pictures())


def main() -> int:
    """Write or check; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 on a difference")
    given = parser.parse_args()
    old_catalog = stale(catalog())
    if not given.check:
        write(old_catalog)  # first: all other files are made by a program that reads it
    texts = {ROOT / "phicli" / "kernels" / "reference.json": kernels_reference()}
    texts |= {ROOT / "docs" / "settings.md": settings(), ROOT / "docs" / "remotes.md": remotes()}
    made = {**completions(), **reference(), **pictures(), **texts}
    old = stale(made)
    left_over = sorted(set(REFERENCE.glob("*")) - made.keys())
    if given.check:
        for path in [*old_catalog, *old, *left_over]:
            print(f"{path.relative_to(ROOT)} is not what the code makes; run: python .ci/generate.py")
        return 1 if old_catalog or old or left_over else 0
    for path in left_over:
        path.unlink()
        print(f"removed {path.relative_to(ROOT)}")
    write(old)
    return 0


if __name__ == "__main__":
    sys.exit(main())
