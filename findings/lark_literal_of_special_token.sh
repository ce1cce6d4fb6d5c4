#!/usr/bin/env bash
# Guess: in a grammar, "<tool>" in quotation marks is that text; whether a special token of that name may stand for it is
#   the same in llama.cpp's GBNF and in llguidance's Lark, and no answer leaves the grammar.
# Truth: in GBNF the special token stands for its text. In Lark it does not, but the server generates it all the same
#   where the model prefers it; llguidance then gives up ("doesn't satisfy the grammar; forced bytes"), only the log says
#   so, and the rest of the answer is free, with status 200. By name (<tool>) or id (<[257]>) both are exact.
# Version: xllamacpp 2026.10.11549 (llama.cpp b11549); another one: findings/lark_literal_of_special_token.sh VERSION
# Matters: a grammar that forces a tool call by its marker's text makes the call right with one language and switches
#   itself off with the other, and only with a model that was trained to call tools.
# phi: phicli/tools/grammar.py names the markers by their ids, and writes their text only where the file has no such token.
# Source: seen by running.
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

# Tokens: 256 bytes, then <end> and <tool>. Attention and feed-forward are zero, so each token alone decides the next one.
SPECIAL = ["<end>", "<tool>"]
CHAIN = ["A", "<tool>", "B", "C", "<end>"]
plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
rest = [byte for byte in range(256) if byte not in plain]
names = {byte: chr(byte) for byte in plain} | {byte: chr(256 + place) for place, byte in enumerate(rest)}
tokens = [*(names[byte] for byte in range(256)), *SPECIAL]
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
writer.add_token_types([gguf.TokenType.NORMAL] * 256 + [gguf.TokenType.CONTROL] * len(SPECIAL))
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
params.hostnames, params.port, params.verbosity = ["127.0.0.1"], 0, 1
server = xllamacpp.Server(params)


def generated(grammar):
    connection = http.client.HTTPConnection(server.listening_address.removeprefix("http://"), timeout=60)
    body = {"prompt": [tokens.index(CHAIN[0])], "temperature": 0, "n_predict": 12, "return_tokens": True}
    connection.request("POST", "/completion", json.dumps(body | {"grammar": grammar}))
    return [tokens[token_id] for token_id in json.loads(connection.getresponse().read())["tokens"]]


lark, marker = "%llguidance {}\nstart: ", f"<[{tokens.index('<tool>')}]>"
answers = {}
for label, grammar in {
    "GBNF, text": 'root ::= "<tool>" "no"',
    "GBNF, id": f'root ::= {marker} "no"',
    "Lark, id": f'{lark}{marker} "no"',
    "Lark, name": f'{lark}<tool> "no"',
    "Lark, text": f'{lark}"<tool>" "no"',
}.items():
    answers[label] = generated(grammar)
    print(f"{label}: {answers[label]}")
*held, free = answers.values()
still = all(answer[:3] == ["<tool>", "n", "o"] for answer in held) and free[:3] == ["<tool>", "B", "C"]
print(f"expected: <tool> n o with each grammar but Lark's text, which gives <tool> B C: {still}", flush=True)
os._exit(0 if still else 1)
EOF
status=$?
[ $status -lt 2 ] || tail "$work/log" >&2
exit $status
