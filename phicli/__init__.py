"""``phi``: pick, download, run and measure Microsoft's Phi models on this machine."""

__version__ = "0.2.0"
