#!/usr/bin/env bash
# Guess: a streamed answer has the same text as one that is not streamed; text that waits because it may begin a stop
#   text is sent when the answer ends.
# Truth: where n_predict ends the answer, the waiting text is lost. The end token sends it, and without "stream" it is
#   there, with the same stop texts.
# Version: xllamacpp 2026.10.11549 (llama.cpp b11549); another one: findings/streamed_text_lost_at_limit.sh VERSION
# Matters: an answer that --max-tokens cuts off loses its last characters, although no stop text came.
# phi: phicli/answering/stop_texts.py looks for stop texts itself; the engine gets none.
# Source: https://github.com/ggml-org/llama.cpp/pull/15007 sends the waiting text at the end token only.
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
TOKENS = {"<end>": gguf.TokenType.CONTROL}
CHAIN = ["A", "B", "C", "D", "<end>"]
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


def streamed(body):
    lines = post("/completion", body | {"stream": True}).splitlines()
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
    return "".join(event["content"] for event in events), events[-1]["stop_type"]


answers = {}
for limit, stop in ((3, []), (3, ["CD!"]), (9, ["CD!"])):
    body = request | {"n_predict": limit, "stop": stop}
    whole = json.loads(post("/completion", body))
    answers[limit, len(stop)] = (whole["content"], *streamed(body))
    print(f"n_predict {limit}, stop {stop}: not streamed {whole['content']!r}, streamed {streamed(body)}")
lost = answers[3, 1] == ("BCD", "B", "limit")
flushed = answers[3, 0] == ("BCD", "BCD", "limit") and answers[9, 1] == ("BCD", "BCD", "eos")
print(f"expected: 'BCD' three times, streamed or not; 'CD' is lost at the limit: {lost and flushed}", flush=True)
os._exit(0 if lost and flushed else 1)
EOF
status=$?
[ $status -lt 2 ] || tail "$work/log" >&2
exit $status
