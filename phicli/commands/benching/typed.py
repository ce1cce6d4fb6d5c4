"""The options of ``phi bench`` as they were typed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phicli.commands.benching.options import (
    QUICK_PROMPT,
    QUICK_REPEAT,
    QUICK_TOKENS,
    BenchOptions,
    numbers,
    output_format,
    words,
)
from phicli.commands.benching.together import check_together
from phicli.engine.settings import FIELDS
from phicli.engine.starting import DEFAULT_ENGINE, ENGINES, LLAMA_SERVER
from phicli.errors import UsageError


@dataclass(frozen=True, slots=True)
class Typed:
    """The options as typed, in the order in which ``phi bench`` has them."""

    prompt_tokens: str | None = None
    tokens: str | None = None
    depth: str | None = None
    repeat: int | None = None
    quick: bool = False
    context: int | None = None
    threads: str | None = None
    batch_size: str | None = None
    kv_type: str | None = None
    flash_attention: str | None = None
    repack: str | None = None
    gpu_layers: str | None = None
    engine: str | None = None
    llama_server: Path | None = None
    quality: bool = True
    baseline: str | None = None
    fail_below: float | None = None
    force: bool = False
    plot: Path | None = None
    url: str | None = None
    concurrency: str | None = None
    requests: int | None = None
    tune: bool = False
    reset: bool = False
    eval_file: str | None = None
    limit: int | None = None
    restart: bool = False
    seed: int = 1
    quiet: bool = False

    def read(self, *, as_json: bool, jsonl: bool, csv: bool, markdown: bool) -> BenchOptions:
        """The same as numbers.

        Raises:
            UsageError: something in it makes no sense, alone or together.
        """
        self._check_together()
        prompt = numbers(self.prompt_tokens, "--prompt-tokens") or ((QUICK_PROMPT,) if self.quick else (512,))
        generated = numbers(self.tokens, "--tokens") or ((QUICK_TOKENS,) if self.quick else (128,))
        if prompt == generated == (0,):
            raise UsageError("--prompt-tokens 0 and --tokens 0 leave nothing to measure", "leave one of them out")
        return BenchOptions(
            prompt_tokens=prompt,
            generated_tokens=generated,
            depth_tokens=numbers(self.depth, "--depth") or (0,),
            repeat=self.repeat or (QUICK_REPEAT if self.quick else 5),
            repeat_typed=self.repeat is not None,
            quick=self.quick,
            context_tokens=self.context,
            settings=self._settings(),
            engines=words(self.engine, "--engine", tuple(ENGINES)) or (DEFAULT_ENGINE,),
            llama_server=self.llama_server,
            quality=self.quality,
            baseline=self.baseline,
            fail_below=self.fail_below,
            force=self.force,
            plot=self.plot,
            output=output_format(as_json=as_json, jsonl=jsonl, csv=csv, markdown=markdown),
            quiet=self.quiet,
            url=self.url,
            concurrency=numbers(self.concurrency, "--concurrency", least=1, most=256) or (1,),
            requests=self.requests,
            tune=self.tune,
            reset=self.reset,
            eval_file=self.eval_file,
            limit=self.limit,
            seed=self.seed,
            restart=self.restart,
            answer_tokens=generated[0] if self.tokens is not None and len(generated) == 1 else None,
        )

    def _settings(self) -> dict[str, tuple[Any, ...]]:
        """The values that were typed for settings of the engine, by the names of fields."""
        typed = {name: getattr(self, field.parameter) for name, field in FIELDS.items()}
        return {name: FIELDS[name].read_list(text) for name, text in typed.items() if text is not None}

    def _check_together(self) -> None:
        """Each option has to do with the kind of benchmark that is asked for; nothing typed is passed over."""
        check_together(
            {
                "--prompt-tokens": self.prompt_tokens is not None,
                "--tokens": self.tokens is not None,
                "--depth": self.depth is not None,
                "--repeat": self.repeat is not None,
                "--quick": self.quick,
                "--context": self.context is not None,
                **{field.option: getattr(self, field.parameter) is not None for field in FIELDS.values()},
                "--engine": self.engine is not None,
                "--llama-server": self.llama_server is not None,
                "--no-quality": not self.quality,
                "--baseline": self.baseline is not None,
                "--fail-below": self.fail_below is not None,
                "--force": self.force,
                "--plot": self.plot is not None,
                "--url": self.url is not None,
                "--concurrency": self.concurrency is not None,
                "--requests": self.requests is not None,
                "--tune": self.tune,
                "--reset": self.reset,
                "--eval": self.eval_file is not None,
                "--limit": self.limit is not None,
                "--restart": self.restart,
                "--seed": self.seed != 1,
            }
        )
        if self.llama_server is not None and LLAMA_SERVER not in (self.engine or "").lower():
            message = f"--llama-server names the program for --engine {LLAMA_SERVER}"
            raise UsageError(message, f"add --engine {LLAMA_SERVER}")
