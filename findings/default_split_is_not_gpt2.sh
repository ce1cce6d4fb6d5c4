#!/usr/bin/env bash
# Guess: a GGUF file without tokenizer.ggml.pre (all from before May 2024) is split by GPT-2's pattern, as issues
#   call that default; so the ids of a GPT-2 vocabulary stay the same, at least for ASCII.
# Truth: the default puts digits into groups of three and punctuation apart: 12345 is 123|4|5, don't is don|'|t. The same
#   file with "gpt-2" gives 12345 and don|'t. A warning in the log is the only sign; requests answer 200.
# Version: xllamacpp 2026.10.11549 (llama.cpp b11549); another one: findings/default_split_is_not_gpt2.sh VERSION
# Matters: most files of Phi-2 are such: the model sees ids that its tokenizer never made, and token counts are wrong.
# phi: phicli/gguf_file/split_patterns.py knows the vocabulary by its <|endoftext|>, and phi splits the text itself.
# Source: https://github.com/ggml-org/llama.cpp/pull/6920 (brought the key); https://github.com/ollama/ollama/issues/17698
# Exit code: 0 while this is so, 1 when it has changed, 2 when the script cannot run.

version=${1:-2026.10.11549}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env" &&
    "$work/env/bin/pip" install --quiet "xllamacpp==$version" gguf==0.19.0 numpy==2.4.6 2>"$work/log" ||
    { cat "$work/log" >&2; exit 2; }
echo "xllamacpp $version"
"$work/env/bin/python" - "$work" 2>"$work/log" <<'EOF'
import http.client, json, os, sys
import gguf, numpy, xllamacpp

sys.excepthook = lambda *error: (sys.__excepthook__(*error), os._exit(2))

# Tokens: 256 bytes, then the merges (the digits and the contraction that GPT-2's pattern keeps together). The weights do
# not matter: only /tokenize is asked.
MERGES = ["1 2", "12 3", "123 4", "1234 5", "d o", "do n", "' t"]
plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
rest = [byte for byte in range(256) if byte not in plain]
names = {byte: chr(byte) for byte in plain} | {byte: chr(256 + place) for place, byte in enumerate(rest)}
tokens = [*(names[byte] for byte in range(256)), *(merge.replace(" ", "") for merge in MERGES), "<|endoftext|>"]


def serve(path, pre):
    size = 320  # more than there are tokens, so that each has a dimension of its own
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(256)
    writer.add_embedding_length(size)
    writer.add_block_count(1)
    writer.add_feed_forward_length(32)
    writer.add_head_count(4)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    if pre is not None:
        writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.NORMAL] * (len(tokens) - 1) + [gguf.TokenType.CONTROL])
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(len(tokens) - 1)
    writer.add_eos_token_id(len(tokens) - 1)
    writer.add_tensor("token_embd.weight", numpy.zeros((len(tokens), size), "f4"))
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        rows, columns = {"ffn_gate": (32, size), "ffn_up": (32, size), "ffn_down": (size, 32)}.get(name, (size, size))
        writer.add_tensor(f"blk.0.{name}.weight", numpy.zeros((rows, columns), "f4"))
    for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
        writer.add_tensor(f"{name}.weight", numpy.ones(size, "f4"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    params = xllamacpp.CommonParams()
    params.model.path, params.n_ctx, params.n_parallel = path, 256, 1
    params.hostnames, params.port = ["127.0.0.1"], 0
    return xllamacpp.Server(params)


def pieces(server, text):
    connection = http.client.HTTPConnection(server.listening_address.removeprefix("http://"), timeout=60)
    connection.request("POST", "/tokenize", json.dumps({"content": text}), {"Content-Type": "application/json"})
    return "|".join(tokens[token_id] for token_id in json.loads(connection.getresponse().read())["tokens"])


servers = {pre: serve(f"{sys.argv[1]}/{pre}.gguf", pre) for pre in (None, "gpt-2")}
split = {}
for text in ("12345", "don't"):
    split[text] = [pieces(server, text) for server in servers.values()]
    print(f"{text}: without tokenizer.ggml.pre {split[text][0]}, with 'gpt-2' {split[text][1]}")
still = split == {"12345": ["123|4|5", "12345"], "don't": ["don|'|t", "don|'t"]}
print(f"expected: the same pieces from both files; they differ: {still}", flush=True)
os._exit(0 if still else 1)
EOF
status=$?
[ $status -lt 2 ] || tail "$work/log" >&2
exit $status
