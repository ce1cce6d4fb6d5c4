"""What PEFT calls the files of an adapter: on the hub, in a folder, and in a checkpoint."""

from __future__ import annotations

from typing import Final

CONFIG: Final = "adapter_config.json"
WEIGHTS: Final = "adapter_model.safetensors"
PICKLE: Final = "adapter_model.bin"
PARTS: Final = "adapter_model*-of-*.safetensors"
