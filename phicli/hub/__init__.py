"""The shared model cache: its layout, what was verified in it, and (one package each) how models come and go.

Only this package imports huggingface_hub and hf_xet. Both send telemetry unless an environment variable forbids it when
they are loaded. huggingface_hub asks ``/api/agent-harnesses`` before its first request, and adds the program that runs
it, and the version of PyTorch, to the user agent. hf_xet reports every transfer to ``/v1/telemetry``. ``phi`` forbids
both, whatever the environment says. Child processes inherit the variable.
"""

import os

os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
