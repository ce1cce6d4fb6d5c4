"""The shared model cache: its layout, what was verified in it, and (one package each) how models come and go.

Only this package imports huggingface_hub and hf_xet. Both send telemetry unless a variable of the environment forbids
it when they are loaded: huggingface_hub asks ``/api/agent-harnesses`` before its first request and adds to the user
agent what it recognizes around it; hf_xet reports every transfer to ``/v1/telemetry``. ``phi`` sends nothing of the
kind, whatever the environment says. Child processes inherit the variable.
"""

import os

os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
