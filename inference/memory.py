"""Have the C library keep memory that a network frees."""

import ctypes
import platform


def keep_freed_memory() -> None:
    """Have glibc keep what is freed instead of giving it back and faulting it in again: up to half of a CPU's time."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt") and platform.libc_ver()[0] == "glibc":
        m_trim_threshold, m_mmap_threshold, most = -1, -3, 2**31 - 1
        libc.mallopt(m_mmap_threshold, most)
        libc.mallopt(m_trim_threshold, most)
