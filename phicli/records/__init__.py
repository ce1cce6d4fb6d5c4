"""What was measured on this machine, saved once: runs, speeds, the settings that tuning found."""
