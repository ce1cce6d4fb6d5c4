#!/usr/bin/env bash
# Guess: a seed starts a generator that draws all tokens of an answer, one after the other; without a seed, each draw is
#   another one. A top_k of 0 keeps all tokens, as in llama.cpp.
# Truth: the generator is seeded again for each token, so all tokens are the same draw: where 268 tokens are equally
#   likely, an answer is one token again and again. Without a seed, the time in seconds is the seed. A top_k of 0 is 1.
# Version: ctransformers 0.2.27; another one: findings/one_seed_draws_one_token.sh VERSION
# Matters: all tokens of an answer are as likely, or as unlikely, as its seed wants; the text is not a sample of the model.
# phi: phicli/engine/ctransformers_worker.py gives each token a seed of its own, and the size of the vocabulary for 0.
# Source: https://github.com/marella/ctransformers/blob/main/models/llms/llama.cc (Sample); the README names no such limit.
# Exit code: 0 while this is so, 1 when it has changed, 2 when the script cannot run.

version=${1:-0.2.27}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env" &&
    "$work/env/bin/pip" install --quiet "ctransformers==$version" huggingface-hub==2.4.0 gguf==0.19.0 numpy==2.4.6 2>"$work/log" ||
    { cat "$work/log" >&2; exit 2; }
echo "ctransformers $version"
"$work/env/bin/python" - "$work" 2>"$work/log" <<'EOF'
import os, sys
import ctransformers, gguf, numpy

sys.excepthook = lambda *error: (sys.__excepthook__(*error), os._exit(2))

# The head of the model is zero, so that all tokens are equally likely, whatever came before.
WORDS = [f"▁{letter}" for letter in "abcdefghi"]
KINDS = gguf.TokenType
tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *WORDS]
kinds = [KINDS.UNKNOWN, KINDS.CONTROL, KINDS.CONTROL, *[KINDS.BYTE] * 256, *[KINDS.NORMAL] * len(WORDS)]
path = f"{sys.argv[1]}/model.gguf"
size = 64
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
    *((f"blk.0.{part}", size, size) for part in ("attn_q", "attn_k", "attn_v", "attn_output")),
    *((f"blk.0.{part}", 32, size) for part in ("ffn_gate", "ffn_up")),
    ("blk.0.ffn_down", size, 32),
]:
    writer.add_tensor(f"{name}.weight", random.normal(size=(rows, columns)).astype("f4"))
writer.add_tensor("output.weight", numpy.zeros((len(tokens), size), "f4"))
for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
    writer.add_tensor(f"{name}.weight", numpy.ones(size, "f4"))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

model = ctransformers.LLM(path, "llama", config=ctransformers.Config(context_length=128, threads=1))
prompt = [tokens.index("<s>"), tokens.index("▁a")]
model.eval(prompt)
equal = len(set(model.logits)) == 1
print(f"{len(tokens)} tokens, all equally likely: {equal}")
plain = {"top_p": 1.0, "temperature": 1.0, "repetition_penalty": 1.0, "reset": True}


def answer(seed, top_k=len(tokens)):
    """The first 16 tokens at most: the end token can come."""
    return [token for _, token in zip(range(16), model.generate(prompt, seed=seed, top_k=top_k, **plain))]


seeded = {seed: answer(seed) for seed in range(1, 9)}
for seed, ids in seeded.items():
    print(f"seed {seed}: {ids}")
unseeded = answer(-1)
print(f"no seed (-1): {unseeded}")
narrow = [answer(seed, top_k=0)[:1] for seed in seeded]
print(f"first tokens of the same seeds with top_k 0: {[token for ids in narrow for token in ids]}")
once = all(len(ids) == 16 and len(set(ids)) == 1 for ids in seeded.values())
seconds = len(unseeded) == 16 and len(set(unseeded)) <= 2  # a new second may begin
differ = len({ids[0] for ids in seeded.values() if ids}) > 4
greedy = len({*map(tuple, narrow)}) == 1
still = equal and once and seconds and differ and greedy
print(f"expected: about 16 different tokens in each answer; each is one token again and again: {still}", flush=True)
os._exit(0 if still else 1)
EOF
status=$?
[ $status -lt 2 ] || tail "$work/log" >&2
exit $status
