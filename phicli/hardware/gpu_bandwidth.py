"""The bandwidth of graphics memory that the makers promise, by the name of the GPU: drivers do not tell it."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final

# Name → GB/s: transfers a second x bytes a transfer, from the makers' specifications. Where a chip is sold with two
# widths (Apple's M3 Max and M4 Max), the wider.
_GB_PER_S: Final = MappingProxyType(
    {
        "apple m1": 68, "apple m1 pro": 200, "apple m1 max": 400, "apple m1 ultra": 800,
        "apple m2": 100, "apple m2 pro": 200, "apple m2 max": 400, "apple m2 ultra": 800,
        "apple m3": 100, "apple m3 pro": 150, "apple m3 max": 400, "apple m3 ultra": 819,
        "apple m4": 120, "apple m4 pro": 273, "apple m4 max": 546,
        "apple m5": 153, "apple m5 pro": 307, "apple m5 max": 614,
        "gtx 1060": 192, "gtx 1070": 256, "gtx 1080": 320, "gtx 1080 ti": 484, "gtx 1650": 128, "gtx 1660": 192,
        "gtx 1660 super": 336, "gtx 1660 ti": 288, "rtx 2060": 336, "rtx 2060 super": 448, "rtx 2070": 448,
        "rtx 2070 super": 448, "rtx 2080": 448, "rtx 2080 super": 496, "rtx 2080 ti": 616,
        "rtx 3050": 224, "rtx 3060": 360, "rtx 3060 ti": 448, "rtx 3070": 448, "rtx 3070 ti": 608, "rtx 3080": 760,
        "rtx 3080 ti": 912, "rtx 3090": 936, "rtx 3090 ti": 1008, "rtx 4060": 272, "rtx 4060 ti": 288, "rtx 4070": 504,
        "rtx 4070 super": 504, "rtx 4070 ti": 504, "rtx 4070 ti super": 672, "rtx 4080": 717, "rtx 4080 super": 736,
        "rtx 4090": 1008, "rtx 5060": 448, "rtx 5060 ti": 448, "rtx 5070": 672, "rtx 5070 ti": 896, "rtx 5080": 960,
        "rtx 5090": 1792, "rtx 4060 laptop": 256, "rtx 4070 laptop": 256, "rtx 4080 laptop": 432,
        "rtx 4090 laptop": 576, "rtx a2000": 288, "rtx a4000": 448, "rtx a5000": 768, "rtx a6000": 768,
        "rtx 4000 ada": 360, "rtx 5000 ada": 576, "rtx 6000 ada": 960, "rtx pro 6000": 1792, "l4": 300, "l40": 864,
        "l40s": 864, "t4": 320, "tesla p40": 346, "h100 pcie": 2039, "h100 80gb hbm3": 3350,
        "rx 5700 xt": 448, "rx 6600": 224, "rx 6600 xt": 256, "rx 6700 xt": 384, "rx 6800": 512, "rx 6800 xt": 512,
        "rx 6900 xt": 512, "rx 6950 xt": 576, "rx 7600": 288, "rx 7600 xt": 288, "rx 7700 xt": 432, "rx 7800 xt": 624,
        "rx 7900 gre": 576, "rx 7900 xt": 800, "rx 7900 xtx": 960, "rx 9060 xt": 320, "rx 9070": 640,
        "rx 9070 xt": 640, "r9700": 640, "pro w7900": 864, "8060s": 256, "8050s": 256,
    }
)  # fmt: skip
_SMALLER: Final = ("laptop", "max-q", "mobile")  # the same number for another chip


def maker_bandwidth(name: str) -> float | None:
    """Bytes per second that the maker of the GPU ``name`` promises; None for one that the table lacks."""
    words = re.sub(r"\((r|tm)\)", "", name.lower())
    found = [part for part in _GB_PER_S if re.search(rf"\b{part}\b", words)]
    if any(word in words for word in _SMALLER):
        found = [part for part in found if part.endswith("laptop")]
    return _GB_PER_S[max(found, key=len)] * 1e9 if found else None
