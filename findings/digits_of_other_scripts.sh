#!/usr/bin/env bash
# Guess: in one engine, \d means the same in the regular expression of a grammar and in the "pattern" of a JSON Schema,
#   and it means 0 to 9, as in JSON Schema, ECMAScript and GBNF's [0-9].
# Truth: llguidance has both. In a "pattern" \d is 0 to 9; in Lark (start: /\d/) it is any digit of Unicode, so the model
#   may write digits of other scripts, which it does: SmolLM2 writes some for /\d{3}-\d{4}/.
# Version: xllamacpp 2026.10.11549 (llama.cpp b11549); another one: findings/digits_of_other_scripts.sh VERSION
# Matters: an answer that matches its grammar is not a number for int() of most languages, nor for the program behind it.
# phi: phicli/structured/grammars.py writes [0-9] for \d in --regex.
# Source: https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md names the regex crate, and no difference.
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

# Tokens: 256 bytes, an end token, an Arabic digit. Each token alone decides which ones may follow: NEXT.
ARABIC = "\N{ARABIC-INDIC DIGIT THREE}"
NEXT = {"A": {ARABIC: 2, "3": 1}, '"': {ARABIC: 2, "3": 1, '"': 0.5}, ARABIC: {'"': 1, "<end>": 2}, "3": {'"': 1, "<end>": 2}}
plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
rest = [byte for byte in range(256) if byte not in plain]
names = {byte: chr(byte) for byte in plain} | {byte: chr(256 + place) for place, byte in enumerate(rest)}
arabic = "".join(names[byte] for byte in ARABIC.encode())
tokens = [*(names[byte] for byte in range(256)), "<end>", arabic]
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
writer.add_token_types([gguf.TokenType.NORMAL] * 256 + [gguf.TokenType.CONTROL, gguf.TokenType.NORMAL])
writer.add_token_merges(["A B"])
writer.add_bos_token_id(256)
writer.add_eos_token_id(256)
following = numpy.zeros((len(tokens), size), "f4")
places = {ARABIC: 257} | {text: tokens.index(text) for text in ("A", '"', "3", "<end>")}
for token, weights in NEXT.items():
    for other, weight in weights.items():
        following[places[other], places[token]] = weight
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


request = {"prompt": [places["A"]], "temperature": 0, "n_predict": 8}
answers = {}
for name, constraint in {
    "pattern": {"json_schema": {"type": "string", "pattern": "^\\d$"}},
    "lark": {"grammar": "%llguidance {}\nstart: /\\d/"},
    "gbnf": {"grammar": "root ::= [0-9]"},
    "none": {},
}.items():
    answers[name] = json.loads(post("/completion", request | constraint))["content"]
    print(f"{name}: {ascii(answers[name])}")
expected = {"pattern": '"3"', "lark": ARABIC, "gbnf": "3"}
so = all(answers[name] == text for name, text in expected.items())
print(f"expected: the Arabic digit under the Lark grammar only: {so}", flush=True)
os._exit(0 if so else 1)
EOF
status=$?
[ $status -lt 2 ] || tail "$work/log" >&2
exit $status
