#!/usr/bin/env bash
# Guess: a prompt that one slot of llama-server has evaluated serves the others, as prefix caching does in other servers: a
#   common system message is evaluated once, above all with a cache of prompts in memory (cache_ram_mib).
# Truth: every slot evaluates it again. The cache in memory holds what a slot gave up for another prompt, not what it has now.
# Version: xllamacpp 2026.10.11549; another one: findings/slots_share_no_beginning.sh VERSION
# Matters: on two cores 1,000 common tokens of a Phi-4-mini take half a minute in each further slot.
# phi: phicli/answering/shared_beginning.py has the state of one slot saved and restored into the others.
# Source: https://github.com/ggml-org/llama.cpp/blob/master/tools/server/server-context.cpp (get_available_slot, prompt_load)
# Exit code: 0 while this is so, 1 when it has changed, 2 when the script cannot run.

version=${1:-2026.10.11549}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env" &&
    "$work/env/bin/pip" install --quiet "xllamacpp==$version" gguf==0.19.0 numpy==2.4.6 2>"$work/log" ||
    { cat "$work/log" >&2; exit 2; }
echo "xllamacpp $version"
"$work/env/bin/python" - "$work" 2>"$work/log" <<'EOF'
import json, os, sys, urllib.request
import gguf, numpy, xllamacpp

sys.excepthook = lambda *error: (sys.__excepthook__(*error), os._exit(2))

KINDS = gguf.TokenType
tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *(f"▁{letter}" for letter in "abcdefghi")]
kinds = [KINDS.UNKNOWN, KINDS.CONTROL, KINDS.CONTROL, *[KINDS.BYTE] * 256, *[KINDS.NORMAL] * 9]
path, size = f"{sys.argv[1]}/model.gguf", 64
writer = gguf.GGUFWriter(path, "llama")
writer.add_context_length(256)
writer.add_embedding_length(size)
writer.add_block_count(1)
writer.add_feed_forward_length(32)
writer.add_head_count(4)
writer.add_layer_norm_rms_eps(1e-5)
writer.add_rope_dimension_count(size // 4)
writer.add_tokenizer_model("llama")
writer.add_token_list(tokens)
writer.add_token_scores([0.0] * len(tokens))
writer.add_token_types(kinds)
writer.add_bos_token_id(1)
writer.add_eos_token_id(2)
random = numpy.random.default_rng(0)
for name, rows, columns in [
    ("token_embd", len(tokens), size),
    ("output", len(tokens), size),
    *((f"blk.0.{part}", size, size) for part in ("attn_q", "attn_k", "attn_v", "attn_output")),
    *((f"blk.0.{part}", 32, size) for part in ("ffn_gate", "ffn_up")),
    ("blk.0.ffn_down", size, 32),
]:
    writer.add_tensor(f"{name}.weight", random.normal(size=(rows, columns)).astype("f4"))
for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
    writer.add_tensor(f"{name}.weight", numpy.ones(size, "f4"))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

params = xllamacpp.CommonParams()
params.model.path, params.n_ctx, params.n_parallel, params.verbosity = path, 1024, 4, 1
params.port, params.warmup, params.chat_template, params.cache_ram_mib = 0, False, "chatml", 64
server = xllamacpp.Server(params)


def cached(slot, last):
    """How many tokens of a prompt the slot did not evaluate: 200 that are always the same, and a last one."""
    prompt = [1, *(260 + number % 7 for number in range(199)), last]
    body = {"prompt": prompt, "n_predict": 1, "id_slot": slot}
    request = urllib.request.Request(server.listening_address + "/completion", json.dumps(body).encode())
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)["timings"]["cache_n"]


first = cached(0, 267)
again = cached(0, 266)
others = [cached(slot, 266 - slot) for slot in (1, 2, 3)]
print(f"slot 0, first prompt: {first} of 201 tokens were known")
print(f"slot 0, next prompt with the same 200 tokens: {again}")
print(f"slots 1 to 3, prompts with the same 200 tokens: {others}")
still = first == 0 and again == 200 and others == [0, 0, 0]
print(f"expected: 200 in every slot; only the slot that has evaluated them knows them: {still}", flush=True)
os._exit(0 if still else 1)
EOF
status=$?
[ $status -lt 2 ] || tail "$work/log" >&2
exit $status
