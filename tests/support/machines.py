"""Machines of many kinds, by their numbers."""

from __future__ import annotations

from tests.support.recommending import GB, machine

LAPTOP_8 = machine(8, used_gib=2.5, bandwidth=30 * GB)
LAPTOP_16 = machine(16, used_gib=4, bandwidth=50 * GB)
GPU_24 = machine(64, used_gib=6, bandwidth=50 * GB, vram_gib=24)
CONTAINER_4 = machine(4, used_gib=0.1, bandwidth=30 * GB)
WORKSTATION_64 = machine(64, used_gib=5, bandwidth=160 * GB)
BOARD = machine(8, used_gib=1, bandwidth=10 * GB)
ALL = (LAPTOP_8, LAPTOP_16, GPU_24, CONTAINER_4, WORKSTATION_64, BOARD)
