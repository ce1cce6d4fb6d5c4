#!/usr/bin/env bash
# Guess: an adapter that PEFT saves and loads again computes what it computed in training.
# Truth: alpha_pattern is saved with its keys in alphabetical order, and the first key that matches a module counts. Where two
#   keys match one module, another one can count after loading, and the adapter is scaled by another factor.
# Version: peft 0.21.2 with torch 2.13.0; another one: findings/peft_sorts_alpha_pattern.sh VERSION
# Matters: a program that converts the saved adapter gets factors that were not those of the training, and cannot know it.
# phi: phicli/adapters/alphas.py refuses an adapter in which two keys with different numbers match a module.
# Source: https://github.com/huggingface/peft/blob/main/src/peft/config.py (save_pretrained), utils/other.py (get_pattern_key)
# Exit code: 0 while this is so, 1 when it has changed, 2 when the script cannot run.

version=${1:-0.21.2}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env" &&
    "$work/env/bin/pip" install --quiet "peft==$version" torch==2.13.0 transformers==5.24.0 2>"$work/log" ||
    { cat "$work/log" >&2; exit 2; }
echo "peft $version"
"$work/env/bin/python" - "$work/adapter" 2>"$work/log" <<'EOF'
import copy, json, os, sys
import torch
from peft import LoraConfig, PeftModel, get_peft_model

sys.excepthook = lambda *error: (sys.__excepthook__(*error), os._exit(2))


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = torch.nn.ModuleDict({"proj": torch.nn.Linear(4, 4, bias=False)})
        self.proj = torch.nn.Linear(4, 4, bias=False)

    def forward(self, x):
        return self.inner["proj"](self.proj(x))


torch.manual_seed(0)
base, folder = Model(), sys.argv[1]
pattern = {"proj": 2, "inner.proj": 10}
config = LoraConfig(r=1, lora_alpha=1, target_modules=["proj"], init_lora_weights=False, alpha_pattern=pattern)
trained = get_peft_model(copy.deepcopy(base), config)
trained.save_pretrained(folder)
loaded = PeftModel.from_pretrained(copy.deepcopy(base), folder)
saved = json.load(open(f"{folder}/adapter_config.json"))["alpha_pattern"]
factors = [one.base_model.model.inner["proj"].scaling["default"] for one in (trained, loaded)]
x = torch.ones(1, 4)
print(f"alpha_pattern as it was given: {pattern}; as it was saved: {saved}")
print(f"factor of inner.proj in training: {factors[0]}; after loading: {factors[1]}")
print(f"outputs are equal: {torch.allclose(trained(x), loaded(x))}")
sys.exit(0 if factors[0] != factors[1] and not torch.allclose(trained(x), loaded(x)) else 1)
EOF
status=$?
[ $status -lt 2 ] || tail "$work/log" >&2
exit $status
