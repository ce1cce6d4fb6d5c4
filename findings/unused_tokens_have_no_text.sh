#!/usr/bin/env bash
# Guess: "preserved_tokens" brings the text of every special token that it lists, whatever type the file gives it.
# Truth: it brings the text of CONTROL tokens (USER_DEFINED ones always have theirs), but a token of type UNUSED stays
#   empty: its literal is tokenized into several ids, so it is not preserved, and /detokenize of its id gives "".
# Version: xllamacpp 2026.10.11549 (llama.cpp b11549); another one: findings/unused_tokens_have_no_text.sh VERSION
# Matters: conversions mark special tokens in every way. Where <|tool_call|> is UNUSED, the caller of a model that writes
#   it sees no tool call begin.
# phi: phicli/engine/client.py takes such text from the ids of the answer (_Tally).
# Source: seen by running; the server says "Not preserved because more than 1 token" at its debug level only.
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

# Tokens: 256 bytes, then TOKENS. Attention and feed-forward are zero, so each token alone decides the next one: CHAIN.
TOKENS = {
    "<end>": gguf.TokenType.CONTROL,
    "<defined>": gguf.TokenType.USER_DEFINED,
    "<control>": gguf.TokenType.CONTROL,
    "<unused>": gguf.TokenType.UNUSED,
}
CHAIN = ["A", "<defined>", "<control>", "<unused>", "B", "<end>"]
plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
rest = [byte for byte in range(256) if byte not in plain]
names = {byte: chr(byte) for byte in plain} | {byte: chr(256 + place) for place, byte in enumerate(rest)}
tokens = [*(names[byte] for byte in range(256)), *TOKENS]
path = f"{sys.argv[1]}/model.gguf"
size = 320  # more than there are tokens, so that each has a dimension of its own
writer = gguf.GGUFWriter(path, "llama")
writer.add_context_length(256)
writer.add_embedding_length(size)
writer.add_block_count(1)
writer.add_feed_forward_length(32)
writer.add_head_count(4)
writer.add_layer_norm_rms_eps(1e-5)
writer.add_tokenizer_model("gpt2")
writer.add_tokenizer_pre("gpt-2")
writer.add_token_list(tokens)
writer.add_token_types([gguf.TokenType.NORMAL] * 256 + list(TOKENS.values()))
writer.add_token_merges(["A B"])
writer.add_bos_token_id(256)
writer.add_eos_token_id(256)
following = numpy.zeros((len(tokens), size), "f4")
for token, following_token in zip(CHAIN, CHAIN[1:]):
    following[tokens.index(following_token), tokens.index(token)] = 1
writer.add_tensor("token_embd.weight", numpy.eye(len(tokens), size, dtype="f4"))
writer.add_tensor("output.weight", following)
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
server = xllamacpp.Server(params)


def post(path, body):
    connection = http.client.HTTPConnection(server.listening_address.removeprefix("http://"), timeout=60)
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    return connection.getresponse().read().decode()


request = {"prompt": [tokens.index(CHAIN[0])], "temperature": 0, "return_tokens": True}
answers = []
for preserved in ([], ["<defined>", "<control>", "<unused>"]):
    answer = json.loads(post("/completion", request | {"n_predict": 9, "preserved_tokens": preserved}))
    answers.append(answer["content"])
    generated = [tokens[token_id] for token_id in answer["tokens"]]
    print(f"preserved_tokens {preserved}: content {answer['content']!r}, generated {generated}")
texts, counts = {}, {}
for token in TOKENS:
    texts[token] = json.loads(post("/detokenize", {"tokens": [tokens.index(token)]}))["content"]
    counts[token] = len(json.loads(post("/tokenize", {"content": token, "parse_special": True}))["tokens"])
    print(f"{token}: /detokenize gives {texts[token]!r}, /tokenize gives {counts[token]} id(s)")
still = answers == ["<defined>B", "<defined><control>B"] and not texts["<unused>"] and counts["<unused>"] > 1
print(f"expected: '<defined><control><unused>B' with preserved_tokens; <unused> has no text: {still}", flush=True)
os._exit(0 if still else 1)
EOF
status=$?
[ $status -lt 2 ] || tail "$work/log" >&2
exit $status
