"""``phi finetune``: LoRA on the weights of a folder of transformers, planned before it starts."""
