"""``phi``: pick, download, run and measure Microsoft's Phi models on the machine at hand."""

__version__ = "0.2.0"
