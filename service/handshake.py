"""New connections kept away from a socket that still listens."""

import array
import socket
import struct
import sys
from contextlib import suppress

_SO_ATTACH_FILTER = 26  # asm-generic/socket.h; Python has no name for it
_INSTRUCTION = "HBBI"  # struct sock_filter: code, jump if true, jump if false, operand
_FLAGS, _SYN, _SYN_ACK = 13, 0x02, 0x12  # in the header of TCP (RFC 9293, section 3.1)

# Classic BPF, by the names of linux/filter.h. A segment begins with its TCP header here.
_NO_NEWCOMERS = (
    (0x30, 0, 0, _FLAGS),  # BPF_LD | BPF_B | BPF_ABS
    (0x54, 0, 0, _SYN_ACK),  # BPF_ALU | BPF_AND | BPF_K
    (0x15, 0, 1, _SYN),  # BPF_JMP | BPF_JEQ | BPF_K: another kind of segment skips one
    (0x06, 0, 0, 0),  # BPF_RET | BPF_K: nothing of the segment is kept
    (0x06, 0, 0, 0xFFFFFFFF),  # all of it
)


def ignore_newcomers(sock: socket.socket) -> None:
    """From now on nobody begins to connect to `sock`, in no process that shares it.

    Who had begun gets through, and who is connected notices nothing. A newcomer's system asks again
    after a second, and is refused if the socket is closed by then. Without this, who connects
    between the last `accept` and `close` believes to be connected, and is cut off.

    Does nothing where the system has no such filters, socket(7): outside Linux, and in sandboxes.
    """
    if sys.platform != "linux":
        return
    code = b"".join(struct.pack(_INSTRUCTION, *instruction) for instruction in _NO_NEWCOMERS)
    program = array.array("B", code)
    place, _ = program.buffer_info()
    with suppress(OSError):
        fprog = struct.pack("HP", len(_NO_NEWCOMERS), place)  # struct sock_fprog
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, fprog)
