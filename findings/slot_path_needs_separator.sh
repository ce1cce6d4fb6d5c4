#!/usr/bin/env bash
# Guess: CommonParams.slot_save_path is a folder, as llama-server's option --slot-save-path: the state "one" of a slot that
#   is saved with slot_save_path "/x/states" is the file /x/states/one.
# Truth: the server joins the two strings. The option adds the separator, the property does not: the file is /x/statesone,
#   beside the folder and outside of its permissions. The server answers 200, and restoring finds the file there.
# Version: xllamacpp 2026.10.11549; another one: findings/slot_path_needs_separator.sh VERSION
# Matters: a state contains the conversation; a private folder does not protect it, and whoever cleans the folder misses it.
# phi: phicli/engine/worker.py adds the separator.
# Source: https://github.com/ggml-org/llama.cpp/blob/master/common/arg.cpp (--slot-save-path), tools/server/server-context.cpp
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


def saved_with(slot_save_path):
    """The files under a new folder after the state "one" was saved, and the server's status."""
    params = xllamacpp.CommonParams()
    params.model.path, params.n_ctx, params.n_parallel, params.verbosity = path, 256, 1, 1
    params.port, params.warmup, params.chat_template = 0, False, "chatml"
    params.slot_save_path = slot_save_path
    server = xllamacpp.Server(params)

    def post(where, body):
        request = urllib.request.Request(server.listening_address + where, json.dumps(body).encode())
        with urllib.request.urlopen(request) as reply:
            return reply.status

    post("/completion", {"prompt": [1, 260, 261, 262], "n_predict": 4})
    return post("/slots/0?action=save", {"filename": "one"}), server


os.makedirs(f"{sys.argv[1]}/a/states")
os.makedirs(f"{sys.argv[1]}/b/states")
plain, first = saved_with(f"{sys.argv[1]}/a/states")
ended, second = saved_with(f"{sys.argv[1]}/b/states/")
files = {
    side: sorted(os.path.relpath(os.path.join(folder, name), f"{sys.argv[1]}/{side}") for folder, _, names in os.walk(f"{sys.argv[1]}/{side}") for name in names)
    for side in "ab"
}
print(f"slot_save_path …/states : status {plain}, files {files['a']}")
print(f"slot_save_path …/states/: status {ended}, files {files['b']}")
still = plain == ended == 200 and files == {"a": ["statesone"], "b": ["states/one"]}
print(f"expected: both in the folder; without the separator the file is beside it: {still}", flush=True)
os._exit(0 if still else 1)
EOF
status=$?
[ $status -lt 2 ] || tail "$work/log" >&2
exit $status
