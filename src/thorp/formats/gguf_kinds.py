"""What the numbers in a GGUF header stand for: kinds of values, of tensors, and of whole files."""

from dataclasses import dataclass
from struct import Struct
from typing import Final

STRING: Final = 8
ARRAY: Final = 9
BOOL: Final = 7
UINT32: Final = 4

VALUE_NAMES: Final = {
    0: "uint8",
    1: "int8",
    2: "uint16",
    3: "int16",
    UINT32: "uint32",
    5: "int32",
    6: "float32",
    BOOL: "bool",
    STRING: "string",
    ARRAY: "array",
    10: "uint64",
    11: "int64",
    12: "float64",
}
SCALAR_LETTERS: Final = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    UINT32: "I",
    5: "i",
    6: "f",
    BOOL: "B",
    10: "Q",
    11: "q",
    12: "d",
}
SCALARS: Final = {kind: Struct(f"<{letter}") for kind, letter in SCALAR_LETTERS.items()}


@dataclass(frozen=True, slots=True)
class TensorKind:
    """How elements of a tensor lie on disk: so many in a block, so many bytes each block."""

    name: str
    block: int
    width: int


TENSOR_KINDS: Final = {
    0: TensorKind("f32", 1, 4),
    1: TensorKind("f16", 1, 2),
    2: TensorKind("q4_0", 32, 18),
    3: TensorKind("q4_1", 32, 20),
    6: TensorKind("q5_0", 32, 22),
    7: TensorKind("q5_1", 32, 24),
    8: TensorKind("q8_0", 32, 34),
    9: TensorKind("q8_1", 32, 40),
    10: TensorKind("q2_k", 256, 84),
    11: TensorKind("q3_k", 256, 110),
    12: TensorKind("q4_k", 256, 144),
    13: TensorKind("q5_k", 256, 176),
    14: TensorKind("q6_k", 256, 210),
    15: TensorKind("q8_k", 256, 292),
    16: TensorKind("iq2_xxs", 256, 66),
    17: TensorKind("iq2_xs", 256, 74),
    18: TensorKind("iq3_xxs", 256, 98),
    19: TensorKind("iq1_s", 256, 50),
    20: TensorKind("iq4_nl", 32, 18),
    21: TensorKind("iq3_s", 256, 110),
    22: TensorKind("iq2_s", 256, 82),
    23: TensorKind("iq4_xs", 256, 136),
    24: TensorKind("i8", 1, 1),
    25: TensorKind("i16", 1, 2),
    26: TensorKind("i32", 1, 4),
    27: TensorKind("i64", 1, 8),
    28: TensorKind("f64", 1, 8),
    29: TensorKind("iq1_m", 256, 56),
    30: TensorKind("bf16", 1, 2),
    34: TensorKind("tq1_0", 256, 54),
    35: TensorKind("tq2_0", 256, 66),
    39: TensorKind("mxfp4", 32, 17),
    40: TensorKind("nvfp4", 64, 36),
    41: TensorKind("q1_0", 128, 18),
}
FILE_KINDS: Final = {
    0: "f32",
    1: "f16",
    2: "q4_0",
    3: "q4_1",
    7: "q8_0",
    8: "q5_0",
    9: "q5_1",
    10: "q2_k",
    11: "q3_k_s",
    12: "q3_k_m",
    13: "q3_k_l",
    14: "q4_k_s",
    15: "q4_k_m",
    16: "q5_k_s",
    17: "q5_k_m",
    18: "q6_k",
    19: "iq2_xxs",
    20: "iq2_xs",
    21: "q2_k_s",
    22: "iq3_xs",
    23: "iq3_xxs",
    24: "iq1_s",
    25: "iq4_nl",
    26: "iq3_s",
    27: "iq3_m",
    28: "iq2_s",
    29: "iq2_m",
    30: "iq4_xs",
    31: "iq1_m",
    32: "bf16",
    36: "tq1_0",
    37: "tq2_0",
    38: "mxfp4",
    39: "nvfp4",
    40: "q1_0",
}
GUESSED: Final = 1024  # a flag beside the number of a file type
