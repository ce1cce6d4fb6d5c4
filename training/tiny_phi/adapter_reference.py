"""``python -m training.tiny_phi.adapter_reference``: LoRA adapters of tiny-phi as PEFT saves them, and what they give.

One changes all linear layers. The other one changes the token embedding and the output layer, of a tiny-phi in which
these are two matrices. Their weights are random, their ranks and alphas differ from module to module. The references
have log-probabilities that transformers and PEFT compute, with all of the adapter, with half of it, and without.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import Phi3ForCausalLM

from training.tiny_phi.twin import load_twin

DATA = Path(__file__).resolve().parents[2] / "tests" / "data"
SCALES = (0.0, 0.5, 1.0)
CANDIDATES = 20
PROMPTS = ([1393, 267, 1392, 1391], [5, 9, 100, 33, 7, 250], [1393, 40, 41, 42, 43, 900, 1392, 1391, 77, 500])
_SIZE = 0.08


LINEAR: dict[str, Any] = {
    "target_modules": "all-linear",
    "rank_pattern": {"o_proj": 3, "layers.1.mlp.down_proj": 1},
    "alpha_pattern": {"qkv_proj": 3},
}
EMBEDDING: dict[str, Any] = {
    "target_modules": ["embed_tokens", "lm_head", "o_proj"],
    "rank_pattern": {"embed_tokens": 3},
    "alpha_pattern": {r"lm_.*": 1},
}


def untied(model: Phi3ForCausalLM) -> Phi3ForCausalLM:
    """``model`` with an output layer of its own: the token embedding, its rows moved on by one."""
    rows, columns = model.lm_head.weight.shape
    layer = torch.nn.Linear(columns, rows, bias=False)
    layer.weight.data = model.lm_head.weight.detach().roll(1, 0).clone()
    model.config.tie_word_embeddings = False
    model.lm_head = layer
    return model


def adapted(model: Phi3ForCausalLM, settings: dict[str, Any]) -> PeftModel:
    """``model`` with the adapter; its weights are rounded to BF16, in which they are saved."""
    config = LoraConfig(r=2, lora_alpha=6, task_type="CAUSAL_LM", **settings)
    config.base_model_name_or_path = "tiny-phi"
    found = get_peft_model(model, config)
    with torch.no_grad():
        for name, parameter in sorted(found.named_parameters()):
            if "lora_" in name:
                parameter.copy_(torch.randn_like(parameter).mul_(_SIZE).bfloat16().float())
    found.peft_config["default"].base_model_name_or_path = "tiny-phi"
    return found


def save(model: PeftModel, folder: Path) -> None:
    """Write the adapter as PEFT does, in BF16."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: one.bfloat16() for name, one in model.state_dict().items() if "lora_" in name}
    model.save_pretrained(folder, state_dict=weights, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
    config = folder / "adapter_config.json"
    settings = json.loads(config.read_text(encoding="utf-8"))
    settings["target_modules"].sort()  # PEFT writes a set
    config.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


@torch.no_grad()
def reference(model: PeftModel, scale: float) -> list[dict[str, Any]]:
    """The likeliest tokens after each prompt, with their log-probabilities, the adapter counting ``scale`` times."""
    found = []
    for module in model.modules():
        if hasattr(module, "set_scale"):
            module.set_scale("default", scale)
    for prompt in PROMPTS:
        logits = model(input_ids=torch.tensor([prompt]), use_cache=False).logits[0, -1]
        top = torch.log_softmax(logits, dim=-1).topk(CANDIDATES)
        pairs = zip(top.indices.tolist(), top.values.tolist(), strict=True)
        found.append({"prompt": prompt, "scale": scale, "top": [[token, round(value, 4)] for token, value in pairs]})
    return found


def write(folder: Path, model: PeftModel) -> None:
    """Write the adapter of ``model`` and its reference to ``folder``."""
    save(model, folder)
    records = [record for scale in SCALES for record in reference(model, scale)]
    made = {name: version(name) for name in ("torch", "transformers", "peft")}
    lines = ",\n".join(json.dumps(record) for record in records)
    text = f'{{"made_by": "python -m training.tiny_phi.adapter_reference", "versions": {json.dumps(made)},\n'
    (folder / "reference.json").write_text(f'{text}"records": [\n{lines}\n]}}\n', encoding="utf-8")


def main() -> None:
    """Write the folders."""
    for name, settings in (("tiny_phi_adapter", LINEAR), ("tiny_phi_adapter_embedding", EMBEDDING)):
        torch.manual_seed(7)
        model = load_twin() if settings is LINEAR else untied(load_twin())
        write(DATA / name, adapted(model, settings))


if __name__ == "__main__":
    main()
