"""``python -m training.tiny_phi.expected_reference``: how probable tiny-phi finds the answers of training data.

Nothing of phi is used: transformers renders the chat template to a text, the package tokenizers finds the special
tokens in it, and one pass of the model over each conversation gives the probabilities of the last answer's tokens. What
the template leaves to its callers is done here by hand: tool calls are written into the content, declarations into the
system message, and the reasoning of earlier answers is left out.
"""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import Phi3ForCausalLM, PreTrainedTokenizerFast

from training.tiny_phi.export import CHAT_TEMPLATE
from training.tiny_phi.hf_folder import tokenizer_json
from training.tiny_phi.twin import load_twin

DATA = Path(__file__).resolve().parents[2] / "tests" / "data"
EXAMPLES, OUTPUT = DATA / "tiny_phi_training.jsonl", DATA / "tiny_phi_expected.json"
_REASONING = re.compile(r"^<think>.*?</think>\s*", re.DOTALL)
_TYPES = {"string": "str", "integer": "int"}


def _card(tool: dict[str, Any]) -> dict[str, Any]:
    """A declaration as the model card of Phi-4-mini has it."""
    function = tool["function"]
    properties = function["parameters"]["properties"].items()
    parameters = {name: {"type": _TYPES[one["type"]]} for name, one in properties}
    return {"name": function["name"], "description": function["description"], "parameters": parameters}


def _rendered(message: dict[str, Any], *, last: bool) -> dict[str, Any]:
    role = {"tool": "tool_response"}.get(message["role"], message["role"])
    content = message["content"] or ""
    if role == "assistant" and not last:
        content = _REASONING.sub("", content)
    if calls := message.get("tool_calls"):
        given = [call["function"] for call in calls]
        made = [{"name": one["name"], "arguments": json.loads(one["arguments"])} for one in given]
        content += f"<|tool_call|>{json.dumps(made)}<|/tool_call|>"
    return {"role": role, "content": content}


@torch.no_grad()
def _reference(model: Phi3ForCausalLM, tokenizer: PreTrainedTokenizerFast, example: Any, at: int) -> dict[str, Any]:
    messages = [_rendered(one, last=place == at) for place, one in enumerate(example["messages"][: at + 1])]
    if tools := example.get("tools"):
        messages[0]["tools"] = json.dumps([_card(tool) for tool in tools])
    prompt = tokenizer.apply_chat_template(messages[:-1], add_generation_prompt=True, tokenize=False)
    start = len(tokenizer(prompt, add_special_tokens=False).input_ids)
    ids = tokenizer(f"{prompt}{messages[-1]['content']}<|end|>", add_special_tokens=False).input_ids
    logits = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0]
    found = torch.log_softmax(logits[start - 1 : -1], dim=-1)
    values = [float(row[token]) for row, token in zip(found, ids[start:], strict=True)]
    return {"prompt_tokens": start, "answer": ids[start:], "log_probabilities": [round(value, 5) for value in values]}


def main() -> None:
    """Write the reference."""
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(tokenizer_json())))
    tokenizer.chat_template = CHAT_TEMPLATE
    model, records = load_twin(), []
    for number, line in enumerate(EXAMPLES.read_text(encoding="utf-8").splitlines(), 1):
        example = json.loads(line)
        for at, message in enumerate(example["messages"]):
            if message["role"] == "assistant" and message.get("weight") != 0:
                records.append({"line": number, "message": at, **_reference(model, tokenizer, example, at)})
    made = {name: version(name) for name in ("torch", "transformers", "tokenizers")}
    lines = ",\n".join(json.dumps(record) for record in records)
    text = f'{{"made_by": "python -m training.tiny_phi.expected_reference", "versions": {json.dumps(made)},\n'
    OUTPUT.write_text(f'{text}"answers": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
