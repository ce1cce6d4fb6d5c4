"""``python -m training.tiny_phi.adapter_reference``: a LoRA adapter of tiny-phi as PEFT saves it, and what it gives.

Its weights are random, its ranks and alphas differ from module to module. The reference has log-probabilities that
transformers and PEFT compute, with all of the adapter, with half of it, and without.
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

OUTPUT = Path(__file__).resolve().parents[2] / "tests" / "data" / "tiny_phi_adapter"
SCALES = (0.0, 0.5, 1.0)
CANDIDATES = 20
PROMPTS = ([1393, 267, 1392, 1391], [5, 9, 100, 33, 7, 250], [1393, 40, 41, 42, 43, 900, 1392, 1391, 77, 500])
_SIZE = 0.08


def adapted(model: Phi3ForCausalLM) -> PeftModel:
    """``model`` with the adapter; its weights are rounded to BF16, in which they are saved."""
    config = LoraConfig(
        r=2,
        lora_alpha=6,
        target_modules="all-linear",
        rank_pattern={"o_proj": 3, "layers.1.mlp.down_proj": 1},
        alpha_pattern={"qkv_proj": 3},
        task_type="CAUSAL_LM",
    )
    config.base_model_name_or_path = "tiny-phi"
    found = get_peft_model(model, config)
    with torch.no_grad():
        for name, parameter in sorted(found.named_parameters()):
            if "lora_" in name:
                parameter.copy_(torch.randn_like(parameter).mul_(_SIZE).bfloat16().float())
    found.peft_config["default"].base_model_name_or_path = "tiny-phi"
    return found


def save(model: PeftModel) -> None:
    """Write the adapter as PEFT does, in BF16."""
    weights = {name: one.bfloat16() for name, one in model.state_dict().items() if "lora_" in name}
    model.save_pretrained(OUTPUT, state_dict=weights)
    (OUTPUT / "README.md").unlink(missing_ok=True)
    config = OUTPUT / "adapter_config.json"
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


def main() -> None:
    """Write the folder."""
    torch.manual_seed(7)
    model = adapted(load_twin())
    OUTPUT.mkdir(parents=True, exist_ok=True)
    save(model)
    records = [record for scale in SCALES for record in reference(model, scale)]
    made = {name: version(name) for name in ("torch", "transformers", "peft")}
    lines = ",\n".join(json.dumps(record) for record in records)
    text = f'{{"made_by": "python -m training.tiny_phi.adapter_reference", "versions": {json.dumps(made)},\n'
    (OUTPUT / "reference.json").write_text(f'{text}"records": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
