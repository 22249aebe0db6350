"""The keys of a US keyboard, in the notation of QEMU's `sendkey`, for scripts."""

from typing import Dict

# Rows of keys: the code of the first, and the characters without and with Shift.
ROWS = [
    (0x02, "1234567890-=", "!@#$%^&*()_+"),
    (0x1A, "[]", "{}"),
    (0x27, ";'`", ':"~'),
    (0x2B, "\\", "|"),
    (0x33, ",./", "<>?"),
]


def _char_to_key() -> Dict[str, str]:
    keys = {" ": "spc", "\n": "ret"}
    for letter in "abcdefghijklmnopqrstuvwxyz":
        keys[letter.upper()] = f"shift-{letter}"
    for first, plain, shifted in ROWS:
        for code, (alone, with_shift) in enumerate(zip(plain, shifted), first):
            if not alone.isdigit():
                keys[alone] = f"0x{code:02X}"
            keys[with_shift] = f"shift-0x{code:02X}"
    return keys


# The keys for all characters that are not themselves names of keys.
CHAR_TO_KEY = _char_to_key()
