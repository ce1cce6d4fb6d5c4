#!/usr/bin/env bash
# Guess: llama-server's cache of prompts in memory (cache_ram_mib) keeps prompts of different LoRA adapters apart, as its slots
#   do: a slot evaluates a prompt again when the scales of the adapters have changed.
# Truth: entries are found by their tokens alone: what was evaluated without the adapter is used with it, and the answer is
#   another one than with an adapter that evaluated its prompt itself. The status is 200.
# Version: xllamacpp 2026.10.11549; another one: findings/ram_cache_crosses_adapters.sh VERSION
# Matters: a server with several adapters, or with and without one, answers wrong without a word, and only now and then.
# phi: phicli/server/placing.py switches the cache off for models with adapters.
# Source: https://github.com/ggml-org/llama.cpp/blob/master/tools/server/server-task.cpp (server_prompt_cache::load)
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

adapter, rank = f"{sys.argv[1]}/adapter.gguf", 2
writer = gguf.GGUFWriter(adapter, "llama")
writer.add_type("adapter")
writer.add_string("adapter.type", "lora")
writer.add_float32("adapter.lora.alpha", float(rank))
for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
    writer.add_tensor(f"blk.0.{part}.weight.lora_a", random.normal(size=(rank, size)).astype("f4"))
    writer.add_tensor(f"blk.0.{part}.weight.lora_b", random.normal(size=(size, rank)).astype("f4"))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()


def answers(cache_ram_mib):
    """With the adapter, after the same prompt without it and another one with it: tokens that were known, and the answer."""
    params = xllamacpp.CommonParams()
    params.model.path, params.n_ctx, params.n_parallel, params.verbosity = path, 256, 1, 1
    params.port, params.warmup, params.chat_template, params.cache_ram_mib = 0, False, "chatml", cache_ram_mib
    params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(adapter, 1.0)]
    server = xllamacpp.Server(params)

    def ask(first, scale):
        prompt = [1, *(260 + (first + number * number) % 8 for number in range(60))]
        body = {"prompt": prompt, "n_predict": 8, "temperature": 0, "return_tokens": True, "lora": [{"id": 0, "scale": scale}]}
        request = urllib.request.Request(server.listening_address + "/completion", json.dumps(body).encode())
        with urllib.request.urlopen(request) as reply:
            data = json.load(reply)
        return data["timings"]["cache_n"], data["tokens"]

    ask(0, 0.0)
    ask(3, 1.0)
    return ask(0, 1.0), server


(known, found), one = answers(0)
(known_ram, found_ram), other = answers(64)
print(f"no cache in memory: {known} of 61 tokens were known; tokens of the answer {found}")
print(f"cache in memory   : {known_ram} of 61 tokens were known; tokens of the answer {found_ram}")
still = known <= 1 and known_ram >= 60 and found != found_ram
print(f"expected: the same; what was evaluated without the adapter is used with it: {still}", flush=True)
os._exit(0 if still else 1)
EOF
status=$?
[ $status -lt 2 ] || tail "$work/log" >&2
exit $status
