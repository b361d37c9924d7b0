"""What the processor can do."""

from pathlib import Path


def multiplies_in_bfloat16() -> bool:
    """Whether it has instructions for it, as far as the system tells (Linux on x86)."""
    try:
        facts = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return "amx_bf16" in facts or "avx512_bf16" in facts
